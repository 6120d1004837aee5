"""What is typed or pasted to connect each tool, with this server's own address. Pure."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

_KEY: Final = "YOUR_KEY"


class Snippet(NamedTuple):
    """For one tool."""

    tool: str
    where: str
    """What the text is, and where it goes."""
    text: str


_CURL: Final = """curl -i -X PUT @BASE@/api/temperature \\
  -H 'Content-Type: application/json' \\@CURL_KEY@
  -d '{"sensorId": "room-1", "temperature": 21.5, "timestamp": "2026-03-01T12:00:00Z"}'"""

_PYTHON: Final = """import json
import urllib.request
from datetime import UTC, datetime

reading = {"sensorId": "room-1", "temperature": 21.5, "timestamp": datetime.now(UTC).isoformat()}
request = urllib.request.Request(
    "@BASE@/api/temperature",
    data=json.dumps(reading).encode(),
    headers={"Content-Type": "application/json"@PYTHON_KEY@},
    method="PUT",
)
print(urllib.request.urlopen(request, timeout=10).status)"""

_TELEGRAF: Final = """[[outputs.influxdb_v2]]
  urls = ["@BASE@"]
  token = "@KEY@"
  organization = "telemetry"
  bucket = "telemetry"

[[inputs.temp]]

[[processors.rename]]
  namepass = ["temp"]
  [[processors.rename.replace]]
    measurement = "temp"
    dest = "temperature"
  [[processors.rename.replace]]
    field = "temp"
    dest = "value"

[[processors.template]]
  tag = "sensorId"
  template = '{{ .Tag "host" }}/{{ .Tag "sensor" }}'"""

_HOME_ASSISTANT: Final = """influxdb:
  host: @HOST@
  port: @PORT@
  ssl: @SSL@
  database: telemetry@HOME_KEY@
  max_retries: 3
  include:
    domains:
      - sensor"""

_ESP: Final = """#include <InfluxDbClient.h>

InfluxDBClient client("@BASE@", "telemetry", "telemetry", "@KEY@");
Point point("temperature");

void setup() {
  // connect WiFi here
  timeSync("UTC0", "pool.ntp.org");
  client.setWriteOptions(WriteOptions().writePrecision(WritePrecision::MS));
  point.addTag("sensorId", "esp-1");
}

void loop() {
  point.clearFields();
  point.addField("value", readTemperature(), 3);
  client.writePoint(point);
  delay(60000);
}"""

_TTN: Final = """Webhook format    JSON
Base URL          @BASE@/api/webhooks/ttn
Header            @TTN_KEY@
Enabled messages  Uplink message (path: empty)"""

_CHIRPSTACK: Final = """Payload encoding    JSON
Event endpoint URL  @BASE@/api/webhooks/chirpstack
Header              @TTN_KEY@"""


_TOOLS: Final = (
    ("curl", "One reading, typed into a shell.", _CURL),
    ("Python", "One reading, with nothing to be installed.", _PYTHON),
    ("Telegraf", "/etc/telegraf/telegraf.d/telemetry.conf: the temperatures of the machine that it runs on.", _TELEGRAF),
    ("Home Assistant", "configuration.yaml: all sensors in °C, °F or K. Restart it afterwards.", _HOME_ASSISTANT),
    ("ESP8266 and ESP32", "A sketch with the library “ESP8266 Influxdb”.", _ESP),
    ("The Things Stack", "Integrations, Webhooks, Custom webhook. The payload formatter makes `temperature`.", _TTN),
    ("ChirpStack 4", "Application, Integrations, HTTP. The device profile's codec makes `temperature`.", _CHIRPSTACK),
)
_BLANK: Final = re.compile("@([A-Z_]+)@")


def snippets(base: str, *, keyed: bool) -> Sequence[Snippet]:
    """For each tool, with the address of a server that asks for keys or not."""
    parts = urlsplit(base)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    filled = {
        "CURL_KEY": f"\n  -H 'Authorization: Bearer {_KEY}' \\" if keyed else "",
        "PYTHON_KEY": f', "Authorization": "Bearer {_KEY}"' if keyed else "",
        "HOME_KEY": f"\n  username: telemetry\n  password: {_KEY}" if keyed else "",
        "TTN_KEY": f"Authorization: Bearer {_KEY}" if keyed else "none",
        "KEY": _KEY if keyed else "any",
        "BASE": base,
        "HOST": parts.hostname or "",
        "PORT": str(port),
        "SSL": "true" if parts.scheme == "https" else "false",
    }

    return [Snippet(tool, where, _BLANK.sub(lambda match: filled[match[1]], text)) for tool, where, text in _TOOLS]
