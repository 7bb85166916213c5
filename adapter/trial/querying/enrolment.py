"""Queries about a subject's registration, consent, diagnosis, typing, hospital records and end."""

from collections.abc import Iterator
from datetime import date

from adapter.trial.elements import identifier, moment, own, reference
from adapter.trial.people import Person
from adapter.trial.querying.case import Case, Finding

_NUMBERED = frozenset({"resourceType", "id", "meta", "identifier"})
"""All that a Patient has who is known only from the registration, by the number of the hospital's record."""


def consent(case: Case) -> Iterator[Finding]:
    """Consent must be there, and not later than the first study drug."""
    zone = case.trial.terms.zone
    given = [one for one in case.of_type("Consent") if one["status"] == "active"]
    if not given:
        yield Finding("consent-missing", "", (case.subject.ref,))
        return
    signed = [(when.day, own(one)) for one in given if (when := moment(one.get("dateTime"), zone))]
    doses = [
        (dose.day, dose.ref)
        for course in case.subject.courses
        for dose in course.doses
        if dose.given and dose.drug in case.trial.terms.chemotherapy
    ]
    if signed and doses and min(signed)[0] > min(doses)[0]:
        values = {"consent": str(min(signed)[0]), "drug": str(min(doses)[0])}
        yield Finding("consent-late", "", (min(signed)[1], min(doses)[1]), values)


def enrolled_once(case: Case) -> Iterator[Finding]:
    """A person is one subject: by the resident identity number, and by the numbers of one record."""
    refs = tuple(own(one) for one in case.known.subject.person.patients)
    if case.known.others:
        yield Finding("double-enrolment", "", refs, {"others": ", ".join(case.known.others)})
    system = case.trial.terms.systems["subject"]
    numbers = sorted({number for one in case.known.subject.person.patients if (number := identifier(one, system))})
    if len(numbers) > 1 and numbers != [case.subject.number]:
        yield Finding("number-twice", "", refs, {"count": str(len(numbers)), "numbers": ", ".join(numbers)})


def diagnosis(case: Case) -> Iterator[Finding]:
    """Enrolment follows the diagnosis."""
    subject = case.subject
    if subject.diagnosed is None:
        yield Finding("diagnosis-missing", "", (subject.ref,))
    elif subject.enrolled and subject.enrolled < subject.diagnosed:
        values = {"enrolled": str(subject.enrolled), "diagnosed": str(subject.diagnosed)}
        yield Finding("enrolled-before-diagnosis", "", (subject.ref, subject.diagnosis), values)


def hospital_record(case: Case) -> Iterator[Finding]:
    """Every hospital record that the registration names (Patient.link) has sent something."""
    patients = case.known.subject.person.patients
    heard = {own(one) for one in patients if not one.keys() <= _NUMBERED}
    missing: dict[str, str] = {}
    for one in patients:
        for link in one.get("link", []):
            named = link.get("other", {})
            if (ref := reference(named)) and ref not in heard:
                missing[ref] = named.get("identifier", {}).get("value", ref)
    if missing:
        values = {"records": ", ".join(sorted(missing.values()))}
        yield Finding("hospital-record-missing", "", (case.subject.ref,), values)


def typing(case: Case) -> Iterator[Finding]:
    """Subject and donor are typed at every locus, from the first course on."""
    if not case.subject.courses:
        return
    sides = (("subject", case.subject), ("donor", case.subject.donor))
    lacking: list[str] = []
    for name, side in sides:
        loci = [one for one in case.rules.limits.hla if side is None or one not in side.stated]
        if loci:
            lacking.append(f"{', '.join(loci)} of the {name}")
    if lacking:
        yield Finding("typing-missing", "", (case.subject.ref,), {"loci": "; ".join(lacking)})


def death(case: Case) -> Iterator[Finding]:
    """All say the same day of death, and nothing happens after it."""
    days = sorted(set(case.deaths.values()))
    if len(days) > 1:
        yield Finding("death-dates", "", tuple(case.deaths), {"dates": " or ".join(map(str, days))})
    if not days:
        return
    for ref, (what, day) in sorted(_lived(case).items()):
        if day > days[-1]:
            values = {"what": what, "day": str(day), "death": str(days[-1])}
            yield Finding("after-death", ref, (ref, *case.deaths), values)


def _lived(case: Case) -> dict[str, tuple[str, date]]:
    """What only the living have: doses, infusions, adverse events, measurements; by resource."""
    subject = case.subject
    found: dict[str, tuple[str, date]] = {}
    for part in (*subject.courses, subject):
        found |= {one.ref: (one.key, one.day) for ones in part.measured.values() for one in ones}
        found |= {one.ref: (f"Adverse event {one.code}", one.onset) for one in part.events if one.onset}
    for course in subject.courses:
        found |= {one.ref: (one.drug.capitalize(), one.day) for one in course.doses if one.given}
    return found | {one.ref: ("Infusion", one.day) for _, one in case.infusions()}


def last_contact(case: Case) -> Iterator[Finding]:
    """Who left the study is followed up: a last contact or a death must be known some time later."""
    since = case.subject.off_study
    told = case.deaths or case.subject.one("LAST-CONTACT")
    if since and not told and (case.as_of - since).days > case.rules.limits.contact_days:
        yield Finding("last-contact-missing", "", (case.subject.ref,), {"since": str(since)})


def double_enrolments(people: tuple[Person, ...], resident: str) -> dict[str, tuple[str, ...]]:
    """The other subject numbers of the persons who bear the same resident identity number.

    Args:
        people: everybody in the study.
        resident: the system of resident identity numbers.
    """
    numbers: dict[str, set[str]] = {}
    for person in people:
        for patient in person.patients if person.subject else ():
            if value := identifier(patient, resident):
                numbers.setdefault(value, set()).add(person.subject)
    return {
        number: tuple(sorted(others - {number})) for others in numbers.values() if len(others) > 1 for number in others
    }


RULES = (consent, enrolled_once, diagnosis, hospital_record, typing, death, last_contact)
