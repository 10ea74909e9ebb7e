//! Signals by the names that Compose files use.

use rustix::process::Signal;

/// The signal that `name` means: `SIGINT`, `INT` or `2`.
pub(super) fn signal(name: &str) -> Option<Signal> {
    if let Ok(number) = name.parse() {
        return Signal::from_named_raw(number);
    }
    let upper = name.to_ascii_uppercase();
    match upper.strip_prefix("SIG").unwrap_or(&upper) {
        "HUP" => Some(Signal::HUP),
        "INT" => Some(Signal::INT),
        "QUIT" => Some(Signal::QUIT),
        "ABRT" => Some(Signal::ABORT),
        "KILL" => Some(Signal::KILL),
        "USR1" => Some(Signal::USR1),
        "USR2" => Some(Signal::USR2),
        "ALRM" => Some(Signal::ALARM),
        "TERM" => Some(Signal::TERM),
        "WINCH" => Some(Signal::WINCH),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_known_by_its_name_with_or_without_prefix_and_by_its_number() {
        for name in ["SIGINT", "INT", "sigint", "2"] {
            assert_eq!(signal(name), Some(Signal::INT), "{name}");
        }
        assert_eq!(signal("SIGRTMIN+3"), None);
    }
}
