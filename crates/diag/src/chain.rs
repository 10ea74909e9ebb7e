//! Walks an error down to what it stands on.

use std::{error::Error, io};

/// An error and everything beneath it, nearest first.
///
/// An io error that wraps another one gives that one's source for its own: what is wrapped is not passed over here.
pub fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map(|wrapped| wrapped as &(dyn Error + 'static)).or_else(|| error.source());
        Some(error)
    })
}

/// The chain of causes in words, nearest first; what a wrapper repeats of its source is said once.
pub fn causes(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut causes: Vec<String> = chain(error).map(ToString::to_string).collect();
    causes.dedup();
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Step {
        #[error("cannot deploy")]
        Deploy(#[source] Box<Step>),
        #[error("no answer")]
        Wire(#[source] io::Error),
        #[error(transparent)]
        Same(io::Error),
    }

    #[test]
    fn causes_come_nearest_first_and_each_once() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let deep = Step::Deploy(Box::new(Step::Wire(io::Error::other(Step::Same(refused())))));
        assert_eq!(causes(&deep), ["cannot deploy", "no answer", "connection refused"]);
        assert_eq!(causes(&refused()), ["connection refused"]);
    }

    #[test]
    fn what_an_io_error_wraps_is_found_beneath_it() {
        let wrapped = io::Error::other(Step::Deploy(Box::new(Step::Same(io::Error::other("no")))));
        assert!(chain(&wrapped).any(|error| matches!(error.downcast_ref(), Some(Step::Deploy(_)))));
    }
}
