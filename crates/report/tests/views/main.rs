//! Values in, the exact text a person sees out.

mod diagnostics;
mod drills;
mod findings;
mod json;
mod lists;
mod plans;
mod runs;
mod samples;
