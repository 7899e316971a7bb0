"""Classes of evidence have a name each, and every department belongs to one."""

from services.scoring.domain.classes import CLASSES, OTHER, class_of, codes_of, labels_of
from shared.contracts.names import DEPARTMENTS, EVIDENCE_CLASSES


def test_the_classes_are_those_that_have_a_name():
    assert [each.code for each in CLASSES] == list(EVIDENCE_CLASSES)
    assert labels_of((1 << len(CLASSES)) - 1) == list(EVIDENCE_CLASSES.values())


def test_every_department_named_in_a_class_is_known_and_a_new_one_is_seen_in_person():
    assert {name for each in CLASSES for name in each.departments} <= set(DEPARTMENTS)
    assert codes_of(1 << class_of("medins")) == ["medical"]
    assert class_of("a_new_one") == OTHER
