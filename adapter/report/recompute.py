"""Every number of the paper, from the trial's rows."""

from adapter.report import methods, plotted, table1, table2, table3, table4, text
from adapter.report.resting import Shelf
from adapter.report.sheet import Number, Sheet
from adapter.report.trial import Trial


def recompute(trial: Trial, shelf: Shelf) -> list[Number]:
    """The numbers of Methods, Tables 1 to 4, the text and Figures 3 to 6, in this order.

    What they rest on is put on the shelf.
    """
    sheet = Sheet(shelf)
    for part in (methods, table1, table2, table3, table4, text, plotted):
        part.add(sheet, trial)
    return sheet.numbers
