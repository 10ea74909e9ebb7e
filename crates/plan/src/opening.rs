//! What a set needs of people before it is brought back: an identity that opens it, and the shares of its key store.
//! Both are asked for before anything is begun, and a refusal ends with the one command that goes on.

use diag::{Diagnostic, Stop};
use stack::{ServiceName, Shape, Transit};

use crate::{
    Policy, Typed,
    refusal::is_for_development,
    set::{Manifest, Role},
};

/// Refuses a set that none of the identities at hand opens; `held` are their recipients.
///
/// # Errors
/// When it is sealed to others alone.
pub fn can_be_opened(manifest: &Manifest, held: &[String], policy: &Policy) -> Result<(), Stop> {
    let is_held = |recipient: &String| held.iter().any(|held| held.eq_ignore_ascii_case(recipient.trim()));
    if manifest.recipients.is_empty() || manifest.recipients.iter().any(is_held) {
        return Ok(());
    }
    let recipients = manifest.recipients.join(", ");
    let message = format!("no identity at hand opens set {}: it is sealed to {recipients}", manifest.set);
    let mut said = Diagnostic::error("identity-needed", message);
    let mut again = policy.typed.with("--identity", "FILE");
    // Holders take the longest to wake: they are called while the identity is looked for.
    let store = manifest.objects.iter().find(|object| object.role == Role::KeyStore);
    if let Some(service) = store.and_then(|store| store.service.as_ref()).filter(|_| policy.shares == Some(0))
    {
        said = said.cause(format!("`{service}` in it comes back sealed: its holders' shares are needed too"));
        again = again.with("--shares", "FILE");
    }
    Err(Stop::precondition(said.hint(again.to_string())))
}

/// The key store among the services that are started, where it comes back sealed.
pub fn sealed_store(shape: &Shape) -> Option<(&ServiceName, &Transit)> {
    let started = |service| shape.services.contains_key(service);
    shape.key_store().filter(|(service, _)| started(*service) && !is_for_development(shape, service))
}

/// Fewer shares than it takes: what to say, and the command that brings more.
pub(crate) fn lacks_shares(shape: &Shape, policy: &Policy, typed: &Typed) -> Option<(Diagnostic, Typed)> {
    let (service, transit) = sealed_store(shape)?;
    let given = policy.shares.filter(|given| *given < usize::from(transit.threshold))?;
    let given = match given {
        0 => "none was".to_owned(),
        1 => "1 was".to_owned(),
        more => format!("{more} were"),
    };
    let message = format!(
        "`{service}` comes back sealed: {} different key shares open it, and {given} given",
        transit.threshold
    );
    Some((Diagnostic::error("shares-needed", message), typed.with("--shares", "FILE")))
}
