"""Every number of the paper, from the trial's rows."""

from adapter.report import methods, plotted, table1, table2, table3, table4, text
from adapter.report.sheet import Number, Sheet
from adapter.report.trial import Trial


def recompute(trial: Trial) -> list[Number]:
    """The numbers of Methods, Tables 1 to 4, the text and Figures 3 to 6, in this order."""
    sheet = Sheet()
    for part in (methods, table1, table2, table3, table4, text, plotted):
        part.add(sheet, trial)
    return sheet.numbers
