from __future__ import annotations

import pytest

from aurora_sandbox.faults import Faults
from aurora_sandbox.wire import ServiceError


def code_of(faults: Faults, service: str, operation: str) -> str | None:
    try:
        faults.check(service, operation)
    except ServiceError as error:
        return error.code
    return None


def test_as_many_calls_are_throttled_as_were_asked_for():
    faults = Faults()
    faults.throttle("cloudformation", "CreateChangeSet", 2)
    codes = [code_of(faults, "cloudformation", "CreateChangeSet") for _ in range(3)]
    assert codes == ["Throttling", "Throttling", None]


def test_throttling_an_operation_spares_the_others_and_throttling_a_service_none():
    faults = Faults()
    faults.throttle("rds-data", "BeginTransaction", 5)
    assert code_of(faults, "rds-data", "ExecuteStatement") is None
    faults.throttle("rds-data", None, 1)
    assert code_of(faults, "rds-data", "ExecuteStatement") == "ThrottlingException"


def test_a_fault_ends_when_it_is_set_to_no_calls():
    faults = Faults()
    faults.throttle("rds-data", None, 5)
    faults.throttle("rds-data", None, 0)
    assert code_of(faults, "rds-data", "ExecuteStatement") is None


def test_an_oversize_result_is_refused_as_the_data_api_does():
    faults = Faults()
    faults.oversize(1)
    with pytest.raises(ServiceError, match="Database response exceeded size limit"):
        faults.check("rds-data", "ExecuteStatement")
    assert code_of(faults, "rds-data", "ExecuteStatement") is None
