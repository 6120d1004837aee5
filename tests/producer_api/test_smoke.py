import httpx


def test_put_is_answered(api: str) -> None:
    answer = httpx.put(
        f"{api}/api/temperature", json={"sensorId": "202", "temperature": 18, "timestamp": "2021-11-26T18:10:00"}
    )
    assert answer.status_code == 200
