//! Diagnostics.

use diag::{Diagnostic, Place};
use report::text::{Colour, Style, diagnostic, diagnostics};

fn unknown_key() -> Diagnostic {
    Diagnostic::error("unknown-key", "`ports_` is not a key of a service")
        .at(Place::new("compose.yaml", 12, 5))
        .hint("did you mean `ports`?")
}

#[test]
fn a_diagnostic_shows_its_line_and_marks_the_column() {
    let text = diagnostic(&unknown_key(), Some("    ports_:"), Style::PLAIN);
    let expected = "\
error: `ports_` is not a key of a service
  --> compose.yaml:12:5
   |
12 |     ports_:
   |     ^
hint: did you mean `ports`?
";
    assert_eq!(text, expected);
}

#[test]
fn causes_come_nearest_first_and_several_diagnostics_are_set_apart() {
    let lost = Diagnostic::error("engine-absent", "cannot reach the engine")
        .cause("cannot connect to `/var/run/docker.sock`")
        .cause("no such file")
        .hint("`--engine process` needs none");
    let text = diagnostics(&[lost, unknown_key()], |_| None, Style::PLAIN);
    let expected = "\
error: cannot reach the engine
  caused by: cannot connect to `/var/run/docker.sock`
  caused by: no such file
hint: `--engine process` needs none

error: `ports_` is not a key of a service
  --> compose.yaml:12:5
hint: did you mean `ports`?
";
    assert_eq!(text, expected);
}

#[test]
fn what_a_service_said_cannot_speak_to_the_terminal() {
    let said = Diagnostic::error("x", "it said `\x1b[2J`").cause("line one\nline two");
    let text = diagnostic(&said, Some("key:\t\x07value"), Style::PLAIN);
    assert_eq!(text, "error: it said ` [2J`\n  caused by: line one\n    line two\n");
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let coloured = |asked, terminal, no_color| {
        diagnostic(&unknown_key(), None, Style::new(asked, terminal, no_color)).contains('\x1b')
    };
    assert!(coloured(Colour::Auto, true, false));
    assert!(!coloured(Colour::Auto, true, true));
    assert!(!coloured(Colour::Auto, false, false));
    assert!(coloured(Colour::Always, false, true));
    assert!(!coloured(Colour::Never, true, false));
}
