import pytest
from pydicom.sr.codedict import codes

from sr_keras.dicom import provenance


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (provenance.DERIVATION, codes.DCM.SpatialResampling),
        (provenance.SOURCE_PURPOSE, codes.DCM.SourceImageForImageProcessingOperation),
        (provenance.EQUIPMENT_PURPOSE, codes.DCM.ModifyingEquipment),
    ],
)
def test_codes_are_those_of_pydicom_s_dictionary(ours, theirs):
    item = provenance.coded(ours)
    found = (item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning)
    assert found == (theirs.value, theirs.scheme_designator, theirs.meaning)
