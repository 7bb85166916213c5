"""What hl7apy does not say: which structure an event has (table 0354), the ADT structures of 2.3.1, steady names."""

from collections.abc import Mapping

_EVENTS: Mapping[str, str] = {
    "ADT_A01": "A01 A04 A08 A13",
    "ADT_A05": "A05 A14 A28 A31",
    "ADT_A06": "A06 A07",
    "ADT_A09": "A09 A10 A11",
    "ADT_A21": "A21 A22 A23 A25 A26 A27 A29 A32 A33",
    "ADT_A30": "A30 A34 A35 A36 A46 A47 A48 A49",
    "ADT_A39": "A39 A40 A41 A42",
    "ADT_A43": "A43 A44",
    "ADT_A50": "A50 A51",
    "ADT_A52": "A52 A53",
    "ADT_A54": "A54 A55",
    "ADT_A61": "A61 A62",
    "CRM_C01": "C01 C02 C03 C04 C05 C06 C07 C08",
    "CSU_C09": "C09 C10 C11 C12",
    "MDM_T01": "T01 T03 T05 T07 T09 T11",
    "MDM_T02": "T02 T04 T06 T08 T10",
    "ORU_R01": "R01 R40",
    "ORU_R30": "R30 R31 R32",
    "PEX_P07": "P07 P08",
    "PGL_PC6": "PC6 PC7 PC8",
    "PMU_B01": "B01 B02",
    "PMU_B04": "B04 B05 B06",
    "PPG_PCG": "PCC PCG PCH PCJ",
    "PPP_PCB": "PCB PCD",
    "PPR_PC1": "PC1 PC2 PC3",
    "RDE_O11": "O11 O25",
    "REF_I12": "I12 I13 I14 I15",
    "RQA_I08": "I08 I09 I10 I11",
    "RPA_I08": "I08 I09 I10 I11",
    "RQC_I05": "I05 I06",
    "RQI_I01": "I01 I02 I03",
    "RRI_I12": "I12 I13 I14 I15",
    "SIU_S12": "S12 S13 S14 S15 S16 S17 S18 S19 S20 S21 S22 S23 S24 S26 S27",
    "SRM_S01": "S01 S02 S03 S04 S05 S06 S07 S08 S09 S10 S11",
    "SRR_S01": "S01 S02 S03 S04 S05 S06 S07 S08 S09 S10 S11",
}
STRUCTURE_OF: Mapping[tuple[str, str], str] = {
    (structure[:3], event): structure for structure, events in _EVENTS.items() for event in events.split()
}
"""Message structure by type and event (HL7 table 0354), where it is not simply TYPE_EVENT."""

_AS_A01 = ("ADT_A04", "ADT_A05", "ADT_A08", "ADT_A13", "ADT_A28", "ADT_A31")
SAME_GRAMMAR: Mapping[tuple[str, str], str] = {
    **{(version, structure): "ADT_A01" for version in ("2.3", "2.3.1") for structure in _AS_A01},
    ("2.3.1", "ADT_A11"): "ADT_A09",
    ("2.3.1", "ADT_A40"): "ADT_A39",
    ("2.4", "ADT_A12"): "ADT_A09",
}
"""Structures with a name of their own in one version, which hl7apy lacks, and the one that has the same grammar."""

# (structure, name in some version): the name in the others. Path parts of mappings/ hold in every version.
GROUP_NAMES: Mapping[tuple[str, str], str] = {
    ("CSU_C09", "ORCRXARXR_SUPPGRP"): "STUDY_PHARM",
    ("CSU_C09", "RXARXR_SUPPGRP"): "RX_ADMIN",
    ("MDM_T02", "OBXNTE_SUPPGRP"): "OBSERVATION",
    ("ORU_R01", "RESPONSE"): "PATIENT_RESULT",
    ("OUL_R22", "OBXTCDSIDNTE_SUPPGRP"): "RESULT",
    ("OUL_R23", "OBXTCDSIDNTE_SUPPGRP"): "RESULT",
    ("OUL_R23", "SPMOBXSACINVOBRORCNTETQ1TQ2OBXTCDSIDNTECTI_SUPPGRP"): "SPECIMEN",
    ("OUL_R24", "OBXTCDSIDNTE_SUPPGRP"): "RESULT",
    ("OUL_R24", "SPMOBXSACINV_SUPPGRP"): "SPECIMEN",
    ("PPR_PC1", "OBR_SUPPGRP"): "CHOICE",
    ("PPR_PC1", "PATHWAY_OBSERVATION"): "PROBLEM_OBSERVATION",
}
NOT_REQUIRED = frozenset({("2.3.1", "OBX", 4)})
"""Fields that hl7apy takes for required against the text of the standard."""
