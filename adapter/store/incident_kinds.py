"""The kinds of incidents: what each means for people, who mends it, and when it is over by itself."""

from collections.abc import Mapping
from dataclasses import dataclass

HOSPITAL = "sending hospital"
NETWORK = "sending hospital, or the network between"
ADMINISTRATOR = "administrator of the adapter"
ANALYST = "analyst who edits mappings/"
STEWARD = "data manager, with the sending hospital"
SECURITY = "security officer, with the sending hospital"

HOUR = 3600.0
DAY = 24 * HOUR
WEEK = 7 * DAY


@dataclass(frozen=True, slots=True)
class Kind:
    """`quiet`: after so many seconds without a further note it is over; None: only its end is the end."""

    text: str
    mender: str
    quiet: float | None = None


KINDS: Mapping[str, Kind] = {
    "clock_skew": Kind("times in MSH-7 that cannot be right", HOSPITAL, DAY),
    "control_id_reused": Kind(
        "the same MSH-10 for different messages, of a site that promised otherwise", HOSPITAL, DAY
    ),
    "file_refused": Kind("files in a watched folder that cannot be read as HL7; they are in refused/", HOSPITAL, DAY),
    "folder_unusable": Kind("a watched folder, or a file in it, that cannot be read or moved", ADMINISTRATOR),
    "foreign_sender": Kind("messages of a site that this listener is not for", SECURITY, DAY),
    "idle": Kind("a hospital is silent in its working time", HOSPITAL),
    "backlog": Kind("messages wait for more than five minutes to be converted", ADMINISTRATOR),
    "held": Kind("messages wait for a person; those of their patients wait behind them", ANALYST),
    "identity_overdue": Kind(
        "merges, moves or cancels wait for a number, a visit or an order for more than a day", HOSPITAL
    ),
    "merge_across_authorities": Kind("merges of numbers that are not the sender's own are held", SECURITY),
    "workers_stopped": Kind("no worker takes the messages", ADMINISTRATOR),
    "disk_low": Kind("the disk is almost full, or soon will be", ADMINISTRATOR),
    "wal_large": Kind("a long reader keeps the write-ahead log from beginning anew", ADMINISTRATOR),
    "audit_unavailable": Kind("the access audit cannot be written: reads are answered 503", ADMINISTRATOR),
    "login_refused": Kind("requests without the token, or with another", SECURITY, HOUR),
    "acknowledgement_undelivered": Kind("answers did not reach the sender, which will send again", NETWORK, HOUR),
    "connections_full": Kind("the listener has as many connections as it may: more are closed", SECURITY, HOUR),
    "connections_of_address": Kind("an address has as many connections as it may: more are closed", SECURITY, HOUR),
    "address_forbidden": Kind("connections from an address that is on no list of those allowed", SECURITY, HOUR),
    "certificate_missing": Kind("a connection without a client certificate", SECURITY, HOUR),
    "certificate_refused": Kind("a connection with a client certificate that is not valid", SECURITY, HOUR),
    "certificate_foreign": Kind("a connection with the certificate of somebody else", SECURITY, HOUR),
    "rate_exceeded": Kind("more requests a second than one client may send", HOSPITAL, 300.0),
    "body_refused": Kind("request bodies that are too long, never end, or are broken gzip", SECURITY, HOUR),
    "http_malformed": Kind("bytes that are no HTTP request, or one that can be read in two ways", SECURITY, HOUR),
    "unknown_sender": Kind("messages of a sender that no site of mappings/ describes", ANALYST, DAY),
    "disk_full": Kind("no room on the disk, or it cannot be written: the listeners are closed", ADMINISTRATOR),
    "storage_unavailable": Kind(
        "messages were not stored, and not acknowledged: senders send again", ADMINISTRATOR, 60
    ),
    "no_descriptors": Kind("connections cannot be accepted: too many files are open (ulimit -n)", ADMINISTRATOR, 60),
    "worker_died": Kind("a worker process ended by itself, and was started again", ADMINISTRATOR, HOUR),
    "fragments_missing": Kind("messages of which not all fragments came", HOSPITAL, DAY),
    "refusal_not_told": Kind("messages that are refused, whose sender asked not to be told", HOSPITAL, DAY),
    "reply_undeliverable": Kind("application acknowledgements that the hospital did not take", NETWORK, DAY),
    "reply_without_address": Kind("application acknowledgements for a site without an address", ADMINISTRATOR, DAY),
    "sequence_gap": Kind("numbers in MSH-13 are missing: nothing is taken until they come", HOSPITAL),
    "slow_acknowledgement": Kind("answers that took longer than a second", ADMINISTRATOR, HOUR / 4),
    "unexpected_acknowledgement": Kind("acknowledgements that nobody waits for", HOSPITAL, DAY),
    "version_misdeclared": Kind("fields of a later version than MSH-12 says", HOSPITAL, DAY),
    # Bytes between and instead of messages.
    "framing_noise": Kind("blank bytes between frames", HOSPITAL, DAY),
    "framing_junk": Kind("bytes between frames that are no message", HOSPITAL, DAY),
    "no_start_block": Kind("bytes without a start block: the peer does not speak MLLP", NETWORK, HOUR),
    "wrong_protocol": Kind("the peer speaks another protocol here", NETWORK, HOUR),
    "end_block_lenient": Kind("frames do not end with FS CR; they are taken nevertheless", HOSPITAL, DAY),
    "empty_frame_refused": Kind("frames without content, refused as this site wishes", HOSPITAL, DAY),
    # Messages that did not arrive whole, and answers that did not arrive.
    "frame_truncated": Kind("the connection ended inside a message", NETWORK, DAY),
    "frame_stalled": Kind("a message stopped before its end", NETWORK, DAY),
    "frame_restarted": Kind("the sender gave a message up and began another", HOSPITAL, DAY),
    "frame_slow": Kind("a message came slower than may be: its connection was closed", SECURITY, HOUR),
    "frame_endless": Kind("a message did not end: its connection was closed", SECURITY, HOUR),
    "answers_unread": Kind("the peer sends and reads no answers: its connection was closed", HOSPITAL, HOUR),
    "spool_full": Kind("no room for large messages in ADAPTER_DATA/spool: they are not taken", ADMINISTRATOR, HOUR),
    # What messages say.
    "result_of_wrong_patient": Kind(
        "results that were posted for the wrong patient (OBX-11 W); exports may have carried them", STEWARD, WEEK
    ),
    "deletion_asked": Kind("visits or persons that a sender deletes (A23, A29); nothing is destroyed", STEWARD, WEEK),
    # Connections.
    "second_connection": Kind("a second connection on a listener that is for one", HOSPITAL, DAY),
    "peer_vanished": Kind("the peer does not answer the network any more", NETWORK, HOUR),
    # TLS.
    "handshake_failed": Kind("a TLS handshake failed", NETWORK, HOUR),
    "certificate_expires": Kind("a certificate ends soon, or has ended", ADMINISTRATOR),
    "reload_refused": Kind("the file of listeners or a certificate is wrong: the old ones stay", ADMINISTRATOR),
}
