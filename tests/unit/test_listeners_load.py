"""The file of listeners: what is read, and how mistakes are told."""

from pathlib import Path

import pytest

from adapter.errors import MappingError
from adapter.listeners import Receiver, ReceiverTls, load_plan
from adapter.settings import Address

SITES = ["FAHZU", "LSCH"]


def written(folder: Path, text: str) -> Path:
    file = folder / "listeners.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_listener_knows_its_sites_networks_and_certificates(tmp_path: Path):
    text = """listeners:
  - name: fahzu
    mllp: 0.0.0.0:2575
    sites: [FAHZU]
    allow: [192.0.2.0/24]
    tls: {certificate: server.pem, key: server.key, clients: ca.pem, subjects: [engine.fahzu.example]}
  - name: lishui
    http: 127.0.0.1:8443
    rate: 50
folders:
  - {name: drop, path: in, sites: [LSCH]}
replies:
  FAHZU: 192.0.2.9:2580
  LSCH: {mllp: "his.lsch.example:2580", tls: {ca: lsch.pem, certificate: hub.pem, key: hub.key}}
"""
    plan = load_plan(written(tmp_path, text), sites=SITES)
    fahzu, lishui = plan.listeners
    assert (fahzu.transport, lishui.transport) == ("mllp", "http")
    assert (fahzu.channel.takes("FAHZU"), fahzu.channel.takes("LSCH"), lishui.channel.takes("LSCH")) == (
        True,
        False,
        True,
    )
    assert (fahzu.admits("192.0.2.7"), fahzu.admits("198.51.100.1"), lishui.admits("198.51.100.1")) == (
        True,
        False,
        True,
    )
    assert fahzu.tls
    assert (fahzu.tls.certificate, fahzu.tls.clients) == (tmp_path / "server.pem", tmp_path / "ca.pem")
    assert plan.folders[0].path == tmp_path / "in"
    assert plan.replies == {
        "FAHZU": Receiver(Address("192.0.2.9", 2580)),
        "LSCH": Receiver(
            Address("his.lsch.example", 2580),
            ReceiverTls(tmp_path / "lsch.pem", tmp_path / "hub.pem", tmp_path / "hub.key"),
        ),
    }


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("listeners:\n  - {mllp: 'h:1'}\n", 2, "name"),
        ("listeners:\n  - {name: a}\n", 2, "mllp"),
        ("listeners:\n  - {name: a, mllp: 'h:1', http: 'h:2'}\n", 2, "mllp"),
        ("listeners:\n  - name: a\n    mllp: nowhere\n", 3, "HOST:PORT"),
        ("listeners:\n  - name: a\n    mllp: h:1\n    sites: [NOBODY]\n", 4, "NOBODY"),
        ("listeners:\n  - name: a\n    mllp: h:1\n    allow: [there]\n", 4, "allow"),
        ("listeners:\n  - name: a\n    mllp: h:1\n    port: 3\n", 4, "port"),
        ("listeners:\n  - name: a\n    mllp: h:1\n    tls: {certificate: c, key: k, subjects: [s]}\n", 4, "clients"),
        ("listeners:\n  - {name: a, mllp: 'h:1'}\n  - {name: a, mllp: 'h:2'}\n", 2, "twice"),
        ("replies:\n  NOBODY: h:1\n", 2, "NOBODY"),
        ("replies:\n  FAHZU:\n    tls: {}\n", 3, "mllp"),
        ("replies:\n  FAHZU:\n    mllp: h:1\n    tls: yes\n", 4, "ca"),
        ("replies:\n  FAHZU:\n    mllp: h:1\n    tls: {certificate: c}\n", 4, "key"),
    ],
)
def test_mistake_is_told_with_file_and_line(tmp_path: Path, text: str, line: int, words: str):
    with pytest.raises(MappingError, match=words) as wrong:
        load_plan(written(tmp_path, text), sites=SITES)
    assert (wrong.value.file, wrong.value.line) == (str(tmp_path / "listeners.yaml"), line)
