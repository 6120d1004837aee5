"""Mutual TLS: a load balancer verifies a client's certificate, and its common name is the id of the key that counts."""

import pytest

from producer_api.keys.credentials import certified
from telemetry.errors import InvalidSettings
from telemetry.keys import Role
from telemetry.settings import Settings
from tests.producer_api.fakes import FakeKinesis
from tests.producer_api.keys.entrance import entrance
from tests.producer_api.keys.test_gate import FOREIGN, OWN, reading
from tests.producer_api.test_writer import scenario

HEADER = "X-Amzn-Mtls-Clientcert-Subject"


@pytest.mark.parametrize(
    ("subjects", "name"),
    [
        (["CN=AbCdEf01,OU=Hall,O=Example,C=DE"], "AbCdEf01"),
        (["C=DE, O=Example, cn=AbCdEf01"], "AbCdEf01"),
        (["OU=Hall+CN=AbCdEf01,O=Example"], "AbCdEf01"),
        (["O=a\\,CN=AbCdEf01"], None),
        (["O=a\\+CN=AbCdEf01,C=DE"], None),
        (["CN=AbCdEf01,CN=AbCdEf02"], None),
        (["CN=AbCdEf01", "CN=AbCdEf01"], None),
        (["O=XCN=AbCdEf01"], None),
        (["CN="], ""),
        ([], None),
    ],
)
def test_the_common_name_is_found_where_it_is_one(subjects: list[str], name: str | None) -> None:
    """And nowhere else: an organisation may call itself whatever it likes."""
    assert certified([(HEADER.lower().encode(), subject.encode()) for subject in subjects]) == name


@scenario
async def test_a_certificate_is_as_good_as_the_key_that_it_names(kinesis: FakeKinesis) -> None:
    """For its role and its sensors; it stops when the key is revoked or expires."""
    async with entrance(kinesis, certificates=True) as (client, made):
        made.table.make("AbCdEf01", Role.INGEST, "hall-*")
        made.table.make("AbCdEf02", Role.INGEST, expires_s=1)
        named = {HEADER: "CN=AbCdEf01,O=Example"}
        assert (await client.put("/api/temperature", json=reading(OWN), headers=named)).status_code == 200
        assert (await client.put("/api/temperature", json=reading(FOREIGN), headers=named)).status_code == 403
        assert (await client.get("/api/stats", headers=named)).status_code == 403
        for subject in ("CN=AbCdEf02", "CN=AbCdEf03", "CN=", "CN=somebody.example", "O=Example"):
            refused = await client.put("/api/temperature", json=reading(OWN), headers={HEADER: subject})
            assert refused.status_code == 401, subject
        made.table.revoke("AbCdEf01")
        made.clock.now_s += 11
        assert (await client.put("/api/temperature", json=reading(OWN), headers=named)).status_code == 401


@scenario
async def test_a_key_that_is_sent_goes_before_the_certificate(kinesis: FakeKinesis) -> None:
    """A person whose browser shows one signs in as whoever they are; a wrong key is not mended by it."""
    async with entrance(kinesis, certificates=True) as (client, made):
        made.table.make("AbCdEf01", Role.INGEST)
        named = {HEADER: "CN=AbCdEf01"}
        read = {**named, "X-API-Key": made.table.make("read", Role.READ)}
        assert (await client.get("/api/stats", headers=read)).status_code == 200
        wrong = {**named, "X-API-Key": "tlm_nonsense"}
        assert (await client.put("/api/temperature", json=reading(OWN), headers=wrong)).status_code == 401


@scenario
async def test_without_mutual_tls_nobody_believes_the_header(kinesis: FakeKinesis) -> None:
    """Anybody could send it."""
    async with entrance(kinesis) as (client, made):
        made.table.make("AbCdEf01", Role.INGEST)
        refused = await client.put("/api/temperature", json=reading(OWN), headers={HEADER: "CN=AbCdEf01"})
        assert (refused.status_code, refused.json()["code"]) == (401, "no-key")


def test_certificates_without_keys_are_a_mistake_of_the_settings() -> None:
    """There would be nothing that they name."""
    with pytest.raises(InvalidSettings, match="MUTUAL_TLS needs KEYS"):
        Settings.from_environment({"MUTUAL_TLS": "true"})
    assert Settings.from_environment({"MUTUAL_TLS": "true", "KEYS": "true"}).mutual_tls
