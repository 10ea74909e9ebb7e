//! Reports as a person reads them: plain text, most important line last. Colour is optional and carries no meaning.

mod diagnostics;
mod doctor;
mod drill;
mod explain;
mod findings;
mod measure;
mod outcome;
mod plan;
mod progress;
mod shown;
mod style;
mod table;
mod tables;
mod validate;

pub use diagnostics::{diagnostic, diagnostics};
pub use doctor::doctor;
pub use explain::{explanation, production};
pub use findings::findings;
pub use measure::{bytes, count, duration, moved};
pub use outcome::outcome;
pub use plan::{plan, plan_differences, plan_steps};
pub use progress::progress;
pub use shown::{run_shown, step_shown};
pub use style::{Colour, Style};
pub use tables::{backups, runs, status};
pub use validate::validate;
