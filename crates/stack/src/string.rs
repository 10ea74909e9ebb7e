//! `Str`: a string of the tree that knows which of its parts came from variables.
//!
//! The stages of reading Compose work on the plain text, exactly as the reference does. What a service is given keeps
//! its holes and becomes a `Text`; what a person is told is [`Str::shown`].

use std::{fmt, ops::Deref, ops::Range, rc::Rc};

/// First of the characters that stand for a declared secret, which has no value yet: plane 16 is for private use.
const FIRST_SECRET: u32 = 0x10_0000;

/// Plain text, and the ranges of it that must not be shown.
#[derive(Clone, Default)]
pub(crate) struct Str {
    text: String,
    holes: Vec<Hole>,
}

/// A range of the text that came from somewhere else.
#[derive(Clone)]
struct Hole {
    range: Range<usize>,
    origin: Origin,
    /// Where in the variable's value it begins: pieces that were one before become one again.
    offset: usize,
}

/// Where a range came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// A secret of `[secret]`.
    Secret(Rc<str>),
    /// A variable of the shell, of `.env`, of an env file.
    Variable(Rc<str>),
}

/// A piece of a string: as it is, or from somewhere else.
pub(crate) enum Piece<'s> {
    Plain(&'s str),
    Of(&'s Origin, &'s str),
}

impl Str {
    /// The value of a variable.
    pub(crate) fn held(variable: &str, value: impl Into<String>) -> Self {
        Self::whole(value.into(), Origin::Variable(variable.into()))
    }

    /// A declared secret, the `index`th of them.
    pub(crate) fn secret(name: &str, index: usize) -> Self {
        let index = u32::try_from(index).unwrap_or_default() % 0xFFFE;
        let stands_for_it = char::from_u32(FIRST_SECRET + index).unwrap_or('\u{10FFFD}');
        Self::whole(stands_for_it.to_string(), Origin::Secret(name.into()))
    }

    fn whole(text: String, origin: Origin) -> Self {
        let holes = match text.is_empty() {
            true => Vec::new(),
            false => vec![Hole { range: 0..text.len(), origin, offset: 0 }],
        };
        Self { text, holes }
    }

    /// The text without what is known of its origin.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// The first declared secret in it.
    pub(crate) fn first_secret(&self) -> Option<&str> {
        self.holes.iter().find_map(|hole| match &hole.origin {
            Origin::Secret(name) => Some(&**name),
            Origin::Variable(_) => None,
        })
    }

    /// True where nothing of it came from somewhere else.
    pub(crate) fn is_plain(&self) -> bool {
        self.holes.is_empty()
    }

    /// A part of it. The range lies on borders of characters.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        let holes = self.holes.iter().filter_map(|hole| {
            let from = hole.range.start.max(range.start);
            let to = hole.range.end.min(range.end);
            let offset = hole.offset + from.saturating_sub(hole.range.start);
            let origin = hole.origin.clone();
            (from < to).then(|| Hole { range: from - range.start..to - range.start, origin, offset })
        });
        Self { holes: holes.collect(), text: self.text[range].to_owned() }
    }

    /// What stands before and after the first `at`.
    pub(crate) fn cut(&self, at: &str) -> Option<(Self, Self)> {
        let found = self.text.find(at)?;
        Some((self.slice(0..found), self.slice(found + at.len()..self.text.len())))
    }

    pub(crate) fn push_str(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(crate) fn append(&mut self, other: &Self) {
        let start = self.text.len();
        self.text.push_str(&other.text);
        for hole in &other.holes {
            let range = hole.range.start + start..hole.range.end + start;
            match self.holes.last_mut() {
                Some(last)
                    if last.range.end == range.start
                        && last.origin == hole.origin
                        && last.offset + last.range.len() == hole.offset =>
                {
                    last.range.end = range.end;
                }
                _ => self.holes.push(Hole { range, origin: hole.origin.clone(), offset: hole.offset }),
            }
        }
    }

    /// `before`, and it after that.
    pub(crate) fn after(before: &str, it: &Self) -> Self {
        let mut whole = Self::from(before);
        whole.append(it);
        whole
    }

    /// Its text after it was rewritten, as a path is when it is cleaned: what came from somewhere else is found again, or
    /// all of it counts as having come from there.
    pub(crate) fn rewritten(&self, text: String) -> Self {
        let mut holes: Vec<Hole> = Vec::new();
        let mut from = 0;
        for hole in &self.holes {
            let Some(at) = text[from..].find(&self.text[hole.range.clone()]) else {
                return Self::whole(text, hole.origin.clone());
            };
            let range = from + at..from + at + hole.range.len();
            from = range.end;
            holes.push(Hole { range, origin: hole.origin.clone(), offset: hole.offset });
        }
        Self { text, holes }
    }

    /// Its pieces, in order.
    pub(crate) fn pieces(&self) -> Vec<Piece<'_>> {
        let mut pieces = Vec::new();
        let mut done = 0;
        for hole in &self.holes {
            if done < hole.range.start {
                pieces.push(Piece::Plain(&self.text[done..hole.range.start]));
            }
            pieces.push(Piece::Of(&hole.origin, &self.text[hole.range.clone()]));
            done = hole.range.end;
        }
        if done < self.text.len() {
            pieces.push(Piece::Plain(&self.text[done..]));
        }
        pieces
    }

    /// As a person may see it: what came from a variable as it was written.
    pub(crate) fn shown(&self) -> String {
        self.pieces()
            .into_iter()
            .map(|piece| match piece {
                Piece::Plain(text) => text.to_owned(),
                Piece::Of(Origin::Secret(name) | Origin::Variable(name), _) => format!("${{{name}}}"),
            })
            .collect()
    }
}

impl Deref for Str {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl From<&str> for Str {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), holes: Vec::new() }
    }
}

impl From<String> for Str {
    fn from(text: String) -> Self {
        Self { text, holes: Vec::new() }
    }
}

impl PartialEq for Str {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_follow_the_text_through_cuts_and_joins() {
        let mut whole = Str::from("a=");
        whole.append(&Str::held("V", "x=y"));
        let (name, value) = whole.cut("=").unwrap();
        assert_eq!((&*name, &*value, value.shown().as_str()), ("a", "x=y", "${V}"));
        let (left, right) = value.cut("=").unwrap();
        assert_eq!((left.shown().as_str(), right.shown().as_str()), ("${V}", "${V}"));
        let mut again = value.slice(0..1);
        again.append(&value.slice(1..3));
        assert_eq!(again.shown(), "${V}");
        assert_eq!(Str::secret("key", 0).first_secret(), Some("key"));
        assert!(Str::from("x").is_plain() && !Str::held("V", "x").is_plain());
    }
}
