"""Anything our own code may come across, for hypothesis."""

import unicodedata

from hypothesis import strategies as st

from telemetry.limits import SENSOR_ID_CHARS_MAX, TEMPERATURE_MICRO_MAX, TEMPERATURE_MICRO_MIN, TIME_US_MAX, TIME_US_MIN
from telemetry.reading import Reading

TIMES_US = st.integers(TIME_US_MIN, TIME_US_MAX)
TEMPERATURES_MICRO = st.integers(TEMPERATURE_MICRO_MIN, TEMPERATURE_MICRO_MAX)
SENSOR_IDS = (
    st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp")), min_size=1, max_size=SENSOR_ID_CHARS_MAX)
    .map(lambda text: unicodedata.normalize("NFC", text).strip())
    .filter(lambda text: 0 < len(text.encode("utf-16-le")) <= 2 * SENSOR_ID_CHARS_MAX)
)
READINGS = st.builds(Reading, TIMES_US, SENSOR_IDS, TEMPERATURES_MICRO)
