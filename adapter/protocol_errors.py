"""Leaves of the error tree for the protocols of HL7 v2 chapter 2, and for what is only doubted.

A doubt refuses nothing: it is told beside AA or CA in an ERR of severity W, where the site wants to hear it
(`warnings` of site.yaml).
"""

from adapter.errors import ContentRefusal, HeaderRefusal, Held, Location


class UnknownCondition(HeaderRefusal):
    """MSH-15 or MSH-16 is not in table 0155; it counts as `AL` (B31). Only ever a doubt."""

    code, condition, default_location = "H2F-2020", "103", Location("MSH", field=15)


class ContradictedStructure(HeaderRefusal):
    """MSH-9.3 names another structure than the event has; the event is believed (B10). Only ever a doubt."""

    code, condition, default_location = "H2F-2021", "0", Location("MSH", field=9, component=3)


class ControlIdTooLong(HeaderRefusal):
    """MSH-10 is longer than any version allows (B12)."""

    code, condition, default_location = "H2F-2022", "104", Location("MSH", field=10)


class ContinuationNotTaken(HeaderRefusal):
    """A fragment of a message, of a site that has agreed to send whole ones (B38)."""

    code, condition, default_location = "H2F-2023", "207", Location("MSH", field=14)


class OutOfService(HeaderRefusal):
    """A fault of our own, told to a site that wants to hear it: it may send again later (B55, F6 to F10)."""

    code, condition = "H2F-2024", "207"
    mender = "administrator of the adapter"


class MixedSegmentEnds(ContentRefusal):
    """Segments end with CR, and what looks like one begins after a lone LF (B46). Only ever a doubt."""

    code, condition, default_location = "H2F-2120", "100", Location("MSH")


class UnreadableTime(ContentRefusal):
    """MSH-7 is no time (B52)."""

    code, condition, default_location = "H2F-2121", "102", Location("MSH", field=7)


class ControlIdReused(ContentRefusal):
    """MSH-10 was that of another message, of a site that has agreed never to do this (B15)."""

    code, condition, default_location = "H2F-2122", "205", Location("MSH", field=10)


class SequenceBroken(ContentRefusal):
    """MSH-13 is not the number that follows the last one; MSA-4 says which does (B35)."""

    code, condition, default_location = "H2F-2123", "207", Location("MSH", field=13)


class WrongOrder(ContentRefusal):
    """A result stands before the order that it belongs to (B51): kept as `held`, since a person may know better."""

    code, condition = "H2F-2124", "100"
    state = "held"
    mender = "sending hospital, with the analyst"


class UnreadableValue(ContentRefusal):
    """A number or a date is none, of a site that has agreed to be strict (E2, E33)."""

    code, condition = "H2F-2125", "102"


class Releasable(ContentRefusal):
    """Refused, and kept as `held`: a person may accept it all the same. It keeps no other message back."""

    state = "held"


class BatchCount(Releasable):
    """A batch holds more or fewer messages than BTS-1 says, a file other batches than FTS-1 says (B40)."""

    code, condition, condition_since_29 = "H2F-2131", "207", "199"


class MalformedBatch(Releasable):
    """A batch has no BTS, a file no FTS, or something stands where it does not belong (B41)."""

    code, condition, default_location = "H2F-2132", "100", Location("BTS")


class SecondHeader(Releasable):
    """A second MSH stands in one frame, without a batch around them (B43)."""

    code, condition, default_location = "H2F-2133", "100", Location("MSH", 2)


class FragmentsMissing(Held):
    """A message came in fragments, and the rest of it did not come (B38)."""

    code = "H2F-3020"
    mender = "sending hospital"
