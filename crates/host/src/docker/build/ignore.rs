//! `.dockerignore`: which files of a context are left out. The rules are those of `moby/patternmatcher`, which differ
//! from Git's: a pattern without a slash is about the root alone, and the last pattern that matches decides.

/// The patterns of a `.dockerignore`, in order.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Patterns(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    /// It takes back in: `!PATTERN`.
    back_in: bool,
    path: String,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `?`: one character of a name.
    One,
    /// `*`: any part of a name.
    Some,
    /// `**`: any number of directories, at the end everything.
    Deep,
    /// `[a-z]`, `[^a-z]`.
    Class {
        except: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Patterns {
    /// Reads a file's text; lines that begin with `#` say nothing.
    pub(super) fn read(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().filter(|line| !line.starts_with('#')).map(str::trim);
        let mut patterns = Self::default();
        for line in lines.filter(|line| !line.is_empty()) {
            match line.strip_prefix('!') {
                Some(rest) => patterns.add(rest.trim(), true),
                None => patterns.add(line, false),
            }
        }
        patterns
    }

    /// The same, with a file that the builder itself needs.
    pub(super) fn keeping(mut self, path: &str) -> Self {
        if self.leaves_out(path) {
            self.add(path, true);
        }
        self
    }

    fn add(&mut self, path: &str, back_in: bool) {
        let path = clean(path);
        if !path.is_empty() {
            self.0.push(Pattern { back_in, tokens: tokens(&path), path });
        }
    }

    /// Whether a file or directory is left out: by itself, or because a directory around it is.
    pub(super) fn leaves_out(&self, path: &str) -> bool {
        let mut out = false;
        // One that could only say what is so already is not asked.
        for pattern in &self.0 {
            if pattern.back_in == out && around(path).any(|part| matches(&pattern.tokens, part)) {
                out = !pattern.back_in;
            }
        }
        out
    }

    /// Whether something below a directory that is left out may be taken back in.
    pub(super) fn may_take_back_below(&self, directory: &str) -> bool {
        let below = format!("{directory}/");
        self.0.iter().any(|pattern| {
            // A pattern may match any number of directories: then it has to be asked of each file.
            let wild = pattern.path.contains(['*', '?', '[']);
            pattern.back_in && (wild || format!("{}/", pattern.path).starts_with(&below))
        })
    }
}

/// A path and the directories around it, outermost first, the path itself last.
fn around(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at]).chain([path])
}

/// Without `.`, `..`, doubled and outer slashes.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = pattern.chars().peekable();
    while let Some(char) = rest.next() {
        let token = match char {
            '*' if rest.next_if_eq(&'*').is_some() => {
                // `**/` means the same.
                rest.next_if_eq(&'/');
                Token::Deep
            }
            '*' => Token::Some,
            '?' => Token::One,
            '\\' => Token::Char(rest.next().unwrap_or('\\')),
            '[' => class(&mut rest),
            char => Token::Char(char),
        };
        tokens.push(token);
    }
    tokens
}

fn class(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Token {
    let except = rest.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    while let Some(first) = rest.next().filter(|char| *char != ']') {
        let first = if first == '\\' { rest.next().unwrap_or('\\') } else { first };
        let mut ahead = rest.clone();
        let last = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(last)) if last != ']' => {
                *rest = ahead;
                last
            }
            _ => first,
        };
        ranges.push((first, last));
    }
    Token::Class { except, ranges }
}

fn matches(tokens: &[Token], path: &str) -> bool {
    let Some((token, others)) = tokens.split_first() else { return path.is_empty() };
    let mut chars = path.chars();
    let first = chars.next();
    let rest = chars.as_str();
    let ends = || std::iter::once(0).chain(path.char_indices().map(|(at, char)| at + char.len_utf8()));
    match token {
        Token::Deep if others.is_empty() => true,
        Token::Deep => {
            let after_slashes = path.match_indices('/').map(|(at, _)| at + 1);
            std::iter::once(0).chain(after_slashes).any(|at| matches(others, &path[at..]))
        }
        Token::Some => {
            ends().take_while(|end| !path[..*end].contains('/')).any(|end| matches(others, &path[end..]))
        }
        Token::One => first.is_some_and(|char| char != '/') && matches(others, rest),
        Token::Char(wanted) => first == Some(*wanted) && matches(others, rest),
        Token::Class { except, ranges } => {
            let within = |char: char| ranges.iter().any(|(first, last)| (*first..=*last).contains(&char));
            first.is_some_and(|char| within(char) != *except) && matches(others, rest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What of `paths` is left out by these lines.
    fn left_out<'a>(lines: &str, paths: &[&'a str]) -> Vec<&'a str> {
        let patterns = Patterns::read(lines);
        paths.iter().copied().filter(|path| patterns.leaves_out(path)).collect()
    }

    /// From the table of `moby/patternmatcher`: pattern, path, whether it matches.
    #[test]
    fn patterns_mean_what_they_mean_to_docker() {
        let cases = [
            ("**", "file", true),
            ("**", "dir/file", true),
            ("**/", "file", true),
            ("**/**", "dir/file", true),
            ("dir/**", "dir/file", true),
            ("dir/**", "dir/dir2/file", true),
            ("**/dir", "dir", true),
            ("**/dir", "dir2/dir", true),
            ("**/dir2/*", "dir/dir2/file", true),
            ("**/dir2/*", "dir/dir2/dir2/file", true),
            ("**file", "file", true),
            ("**file", "dir/file", true),
            ("**/file", "dir/dir/file", true),
            ("**/file*", "dir/dir/file.txt", true),
            ("**/file*txt", "dir/dir/file.txt", true),
            ("**/file*.txt*", "dir/dir/file.txt", true),
            ("**/**/*.txt", "dir/dir/file.txt", true),
            ("**/**/*.txt2", "dir/dir/file.txt", false),
            ("**/*.txt", "file.txt", true),
            ("a**/*.txt", "a/file.txt", true),
            ("a**/*.txt", "a/dir/file.txt", true),
            ("a/*.txt", "a/dir/file.txt", false),
            ("a/*.txt**", "a/file.txt", true),
            ("a[b-d]e", "ae", false),
            ("a[b-d]e", "ace", true),
            ("a[b-d]e", "aae", false),
            ("a[^b-d]e", "aze", true),
            (".*", ".foo", true),
            (".*", "foo", false),
            ("abc.def", "abcdef", false),
            ("abc.def", "abcZdef", false),
            ("abc?def", "abcZdef", true),
            ("abc?def", "abcdef", false),
            ("a\\\\", "a\\", true),
            ("a\\*", "a*", true),
            ("**/foo/bar", "foo/bar", true),
            ("**/foo/bar", "dir/dir2/foo/bar", true),
            ("abc/**", "abc", false),
            ("abc/**", "abc/def/ghi", true),
            ("**/.foo", "bar.foo", false),
            ("*.go", "dir/a.go", false),
            ("/dir/./x//y/", "dir/x/y", true),
            ("dir", "dir/deep/file", true),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(Patterns::read(pattern).leaves_out(path), expected, "{pattern} of {path}");
        }
    }

    #[test]
    fn the_last_word_counts_and_comments_say_nothing() {
        let paths = ["a.md", "README.md", "docs/b.md", "docs/keep.md", "# x", "src"];
        assert_eq!(left_out("# x\n*.md\n!README.md\n", &paths), ["a.md"]);
        assert_eq!(left_out("docs\n! docs/keep.md\n", &paths), ["docs/b.md"]);
        assert_eq!(left_out("*\n!src\n", &paths), ["a.md", "README.md", "docs/b.md", "docs/keep.md", "# x"]);
        assert_eq!(left_out("!src\n*\n!src\n", &["src", "src/x", "y"]), ["y"]);
    }

    #[test]
    fn the_files_that_the_builder_needs_stay() {
        let patterns = Patterns::read("*\n").keeping("Dockerfile").keeping(".dockerignore");
        assert!(!patterns.leaves_out("Dockerfile") && !patterns.leaves_out(".dockerignore"));
        assert!(patterns.leaves_out("x"));
    }

    #[test]
    fn a_directory_is_looked_into_only_where_something_may_come_back() {
        let patterns = Patterns::read("node_modules\nbuild\n!build/keep\n");
        assert!(!patterns.may_take_back_below("node_modules"));
        assert!(patterns.may_take_back_below("build"));
        assert!(Patterns::read("a\n!**/keep").may_take_back_below("a"));
    }
}
