"""What stands in messages that nobody planned: values, controls, character sets, types, bytes of other protocols."""

_VALUES = r"""
"" ^ ~ & ^^^^^^^^ ~~~ \ \\ \X\ \XFF\ \XD3C3\ \F\ ^\S\&~ \.br\ \H\ \Cxxyy\ \M \.sp99999999999\ \Zx\
- + < <> >5 >=7.0 1:2 ^1^-^2 5- +++ . , 1,5 1e5 1e999 -1e-999 NaN Infinity 0x10 1_000 0 00 -0 -1 ０．５ ٣ ½ 10*9/L
mm[Hg] {} {cells} 1.2.3. 2.16.840.1 urn:oid:1 2024 20240230 00000000 20181332 99991231235959.9999+1400 2018+0860
0001-1400 20180101080000+0800 20180101080000.1234-1200 198605041200 19190413 24 2018-01-01 T
男 试^九〇一 LN HL70085 Y N P D AL NE <a>&amp;</a> ../../x
"""
VALUES: tuple[bytes, ...] = (
    *_VALUES.encode().split(),
    *(
        b"",
        b" ",
        b"\t",
        b"\r",
        b"\n",
        b"\x00",
        b"\x0b",
        b"\x1c",
        b"\x7f",
        b"\x85",
        b"\xc2\x85",
        b"\xe2\x80\xa8",
        b"\xef\xbb\xbf",
    ),
    *(
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"\xf5\x80\x80\x80",
        b"\xc0\xaf",
        b"\x81",
        b"\x81\x30",
        b"\x81\x30\x81",
        b"\xfe\x7c",
    ),
    *("e\u0301\u200b".encode(), "\u202e".encode(), "\U0001f9ea".encode(), "男".encode("gb18030"), "試".encode("big5")),
    *(b"\x1b$B;n\x1b(B", b"1" * 400, b"9" * 5000, b" " * 50, b"\\" * 99, b"\\X" + b"41" * 200 + b"\\"),
    *(b"^" * 300, b"~" * 300, b"&" * 98, b"JVBERi0xLjQK" * 40),
)
TYPES = tuple(
    name.encode()
    for name in (
        "AD CD CE CF CNE CP CQ CSU CWE CX DLN DR DT DTM ED EI FC FT ID IS JCC MA MO NA NM PN PPN RI RP SI SN SPS ST TM "
        "TN TS TX XAD XCN XON XPN XTN nm ZZ"
    ).split()
)
"""For OBX-2."""

CHARSETS = tuple(
    name.encode()
    for name in (
        "|ASCII|8859/1|8859/15|GB 18030-2000|GBK|gb2312|UNICODE|UNICODE UTF-8|UTF-8|UTF-16|BIG-5|KS X 1001|ISO IR87|"
        "UNICODE UTF-8~GB 18030-2000|~|x|cp1252"
    ).split("|")
)
"""For MSH-18."""

CODECS = (
    "gb18030",
    "gbk",
    "big5",
    "euc_kr",
    "shift_jis",
    "latin-1",
    "cp1252",
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-32",
)
VERSIONS = (b"", *b"2.1 2.2 2.3 2.3.1 2.4 2.5 2.5.1 2.6 2.7 2.7.1 2.8 2.8.2 2.9 3.0 2 2.50 v2.4 2.5.1^CHN".split())
EVENTS = tuple(
    (
        b"ADT^A01 ADT^A02 ADT^A03 ADT^A05 ADT^A08 ADT^A40 ADT^A60 ADT^Z01 ADT ORU^R01 ORU^R01^ORU_R01 ORU^R30 OUL^R22 "
        b"OUL^R22^OUL_R22 RAS^O17 RAS^O01 BTS^O31 CRM^C01 CSU^C09 ACK ACK^A01 MCF^Q02 QRY^A19 MDM^T02 ORM^O01 ^A01 "
        b"ORU^ oru^r01 ADT&A01 A01 VXU^V04 MFN^M02 ^^ADT_A01"
    ).split()
)
"""For MSH-9."""

SEPARATORS = tuple(b"\r \r \r \n \r\n \n\r \r\r \r\n\r\n \x1e \x85".split(b" "))
SEGMENTS = tuple(b"MSH PID PV1 ORC OBR OBX SPM NTE RXA RXR NK1 FHS BHS BTS FTS DSC ADD ZTI ZZZ obx OB OBXX 1AB".split())
ENDS = (b"\x1c\r",) * 24 + (
    b"\x1c\n",
    b"\x1c\x0b",
    b"\x1c",
    b"\x1c\x1c\r",
    b"\r",
    b"",
    b"\x1c\r\n",
    b"\x1c\r\x00\x00",
    b"\r\x1c\r",
)
STARTS = (b"\x0b",) * 24 + (
    b"",
    b"\x0b\x0b",
    b"\n\x0b",
    b"\x00\x0b",
    b"\x0b\x1c\r\x0b",
    b"\x0b\r\n\x1c\r\x0b",
    b"\x0bMSH|\x0b",
)
BETWEEN = (
    b"\r\n",
    b"\x00",
    b"noise",
    b"\x1c",
    b"\x0b",
    b"GET / HTTP/1.1\r\n\r\n",
    b"POST /hl7",
    b"\x16\x03\x01\x02\x00",
    b"x" * 5000,
)
