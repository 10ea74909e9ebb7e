//! `[secret]` to [`SecretSpec`]s.

use diag::Diagnostic;

use super::{
    Named, Settings,
    raw::{RawSecret, SecretType},
};
use crate::{
    reading::Reading,
    shape::{SecretKind, SecretSpec},
};

/// Reads one declared secret.
pub(super) fn secret(reading: &Reading<'_>, settings: &Settings, named: &Named<RawSecret>) -> SecretSpec {
    let raw = &named.value;
    let from = raw.from.as_ref().map(|from| {
        let text = from.get_ref();
        let at = settings.spot(Some(from.span()));
        match text.split_once(':') {
            Some(("env" | "file", rest)) if !rest.is_empty() => {}
            Some(("command" | "vault", _)) => {
                reading.error(at, "not-handled-yet", format!("`from = \"{text}\"` is not handled yet"));
            }
            _ => {
                let said = Diagnostic::error("wrong-type", format!("`{text}` is no provider of a secret"));
                reading.say(at, said.hint("write `env:NAME` or `file:PATH`"));
            }
        }
        text.clone()
    });
    if raw.r#type.is_none() && from.is_none() {
        let said = Diagnostic::error("missing-key", format!("the secret `{}` has no `type`", named.name));
        reading.say(named.at, said.hint("say what it is: `type = \"password\"`, or where it comes `from`"));
    }
    let kind = raw.r#type.unwrap_or(SecretType::Given);
    options(reading, named, kind);
    SecretSpec { kind: spec(reading, named, kind), from, required: raw.required.unwrap_or(true) }
}

fn spec(reading: &Reading<'_>, named: &Named<RawSecret>, kind: SecretType) -> SecretKind {
    let raw = &named.value;
    let bytes = raw.bytes.unwrap_or(32);
    let prefix = || raw.prefix.clone().unwrap_or_default();
    let bits = raw.bits.unwrap_or(3072);
    let length = raw.length.unwrap_or(24);
    // 16 bytes are 128 bits, below which guessing begins to be thinkable; 24 letters and digits are 142 bits.
    if !(16..=4096).contains(&bytes) || !(12..=4096).contains(&length) {
        let said =
            Diagnostic::error("bad-secret", format!("the secret `{}` has an unsuitable size", named.name));
        reading.say(named.at, said.hint("take 16 to 4096 bytes, or 12 to 4096 characters"));
    }
    if ![2048, 3072, 4096].contains(&bits) {
        let said = Diagnostic::error("bad-secret", format!("an RSA key of {bits} bits is not made"));
        reading.say(named.at, said.hint("take 2048, 3072 or 4096 bits"));
    }
    match kind {
        SecretType::Urlsafe => SecretKind::Urlsafe { bytes, prefix: prefix() },
        SecretType::Hex => SecretKind::Hex { bytes, prefix: prefix() },
        SecretType::Base64 => SecretKind::Base64 { bytes },
        SecretType::Password => SecretKind::Password { length },
        SecretType::Uuid => SecretKind::Uuid,
        SecretType::EcP256 => SecretKind::EcP256,
        SecretType::Rsa => SecretKind::Rsa { bits },
        SecretType::Ed25519 => SecretKind::Ed25519,
        SecretType::X25519 => SecretKind::X25519,
        SecretType::Approle => SecretKind::Approle,
        SecretType::Given => SecretKind::Given,
    }
}

/// Options that mean nothing for the type are said, not ignored.
fn options(reading: &Reading<'_>, named: &Named<RawSecret>, kind: SecretType) {
    use SecretType::{Base64, Hex, Password, Rsa, Urlsafe};
    let raw = &named.value;
    let given = [
        ("bytes", raw.bytes.is_some(), matches!(kind, Urlsafe | Hex | Base64)),
        ("prefix", raw.prefix.is_some(), matches!(kind, Urlsafe | Hex)),
        ("length", raw.length.is_some(), kind == Password),
        ("bits", raw.bits.is_some(), kind == Rsa),
    ];
    for (option, _, _) in given.into_iter().filter(|(_, given, fits)| *given && !fits) {
        let message = format!("`{option}` means nothing for the type of the secret `{}`", named.name);
        reading.say(named.at, Diagnostic::error("conflict", message).hint("take it out, or change the type"));
    }
}
