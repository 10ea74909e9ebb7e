//! What holders are asked for on a terminal, and type without being seen.

use std::{
    io::{self, BufRead, IsTerminal},
    sync::Arc,
};

use runner::live::Ask;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrets::{
    Secret,
    keystore::{ShareError, different, parse_shares},
};

use crate::view::View;

/// Asks for key shares one after the other until there are enough; an empty line ends it. Nothing where no person sits
/// at a terminal.
pub(crate) fn holders(view: &View) -> Option<Ask> {
    if !io::stdin().is_terminal() || !view.terminal() {
        return None;
    }
    let view = view.clone();
    Some(Arc::new(move |service, threshold| {
        let mut shares = Vec::new();
        while different(&shares) < usize::from(threshold) {
            let number = different(&shares) + 1;
            let question =
                format!("key share {number} of {threshold} of `{service}`, not shown; empty to stop: ");
            match read_unseen(&view, &question).map(|line| parse_shares(line.expose())) {
                Ok(Ok(typed)) => shares.extend(typed),
                Ok(Err(ShareError::Line { .. })) => view.ask("that is no key share\n"),
                // What was given so far is judged by whoever asked.
                Ok(Err(ShareError::None)) | Err(_) => break,
            }
        }
        shares
    }))
}

/// One line from the terminal, which does not repeat it.
fn read_unseen(view: &View, question: &str) -> io::Result<Secret<String>> {
    let unseen = Unseen::begin()?;
    // Asked once nothing is repeated any more: who answers at once is not seen either.
    view.ask(question);
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    drop(unseen);
    view.ask("\n");
    read.map(|_| Secret::new(line))
}

/// While it lives, the terminal does not repeat what is typed.
struct Unseen(Termios);

impl Unseen {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut unseen = before.clone();
        unseen.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Now, &unseen)?;
        Ok(Self(before))
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        // A terminal that is gone has nobody to type.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
