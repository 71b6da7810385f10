//! The time of day in UTC, as text.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Since 1970.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// As iproute2's short time stamps have it: 2026-11-20T15:26:25.104233.
pub(crate) fn stamp(since: Duration) -> String {
    format!("{}.{:06}", to_second(since.as_secs()), since.subsec_micros())
}

/// As RFC 3339 has it: 2026-11-20T15:26:25Z.
pub(crate) fn date(seconds: u64) -> String {
    format!("{}Z", to_second(seconds))
}

fn to_second(seconds: u64) -> String {
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

/// The date of a day since 1970 in the Gregorian calendar, by eras of 400 years that begin on 1 March.
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + if month <= 2 { 1 } else { 0 }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Broken if a wrong time were told around leap days and ends of years.
    #[test]
    fn time_stamps() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_399, "2000-02-28T23:59:59"),
            (951_782_400, "2000-02-29T00:00:00"),
            (1_735_689_599, "2024-12-31T23:59:59"),
            (1_795_188_385, "2026-11-20T15:26:25"),
        ] {
            assert_eq!(stamp(Duration::from_secs(seconds)), format!("{text}.000000"));
            assert_eq!(date(seconds), format!("{text}Z"));
        }
    }
}
