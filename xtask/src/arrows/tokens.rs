//! Just enough of Rust's lexical structure to see names and paths: comments, strings and tests gone.
//! Reference: The Rust Reference, "Tokens", <https://doc.rust-lang.org/reference/tokens.html>

/// A name or a mark, and the line it stands on, counted from one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) line: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Name(String),
    /// `::`
    PathSeparator,
    /// Any other mark. Literals are left out.
    Mark(char),
}

impl Token {
    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(&self.kind, Kind::Name(own) if own == name)
    }

    pub(super) fn is_mark(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }

    pub(super) fn is_separator(&self) -> bool {
        self.kind == Kind::PathSeparator
    }
}

/// The names and marks of a source file.
pub(super) fn read(text: &str) -> Vec<Token> {
    let mut reader = Reader { characters: text.chars().collect(), at: 0, line: 1 };
    let mut tokens = Vec::new();
    while let Some(token) = reader.next_token() {
        tokens.push(token);
    }
    tokens
}

/// The tokens without the items that are compiled for tests only.
pub(super) fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let Some(end) = attribute_end(tokens, at) else {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        };
        if !is_test_only(&tokens[at..end]) {
            kept.extend_from_slice(&tokens[at..end]);
            at = end;
        } else if tokens[at + 1].is_mark('!') {
            // `#![cfg(test)]`: the whole file.
            return kept;
        } else {
            at = item_end(tokens, end);
        }
    }
    kept
}

/// The end of the attribute that starts at `at`, if one does.
fn attribute_end(tokens: &[Token], at: usize) -> Option<usize> {
    let mut open = at + 1;
    if !tokens[at].is_mark('#') {
        return None;
    }
    if tokens.get(open)?.is_mark('!') {
        open += 1;
    }
    if !tokens.get(open)?.is_mark('[') {
        return None;
    }
    let mut depth = 0_usize;
    for (position, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            Kind::Mark('[') => depth += 1,
            Kind::Mark(']') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(position + 1);
        }
    }
    None
}

fn is_test_only(attribute: &[Token]) -> bool {
    let has = |name| attribute.iter().any(|token| token.is_name(name));
    has("cfg") && has("test") && !has("not") && !has("any")
}

/// The end of the item that starts at `at`: behind its block, behind its semicolon, or before the
/// bracket that closes what it stands in.
fn item_end(tokens: &[Token], mut at: usize) -> usize {
    while let Some(end) = tokens.get(at).and_then(|_| attribute_end(tokens, at)) {
        at = end;
    }
    let mut depth = 0_usize;
    while let Some(token) = tokens.get(at) {
        match token.kind {
            Kind::Mark('(' | '[' | '{') => depth += 1,
            Kind::Mark(')' | ']' | '}') if depth == 0 => return at,
            Kind::Mark('}') if depth == 1 => return at + 1,
            Kind::Mark(')' | ']' | '}') => depth -= 1,
            Kind::Mark(';') if depth == 0 => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at
}

struct Reader {
    characters: Vec<char>,
    at: usize,
    line: usize,
}

impl Reader {
    fn next_token(&mut self) -> Option<Token> {
        loop {
            let character = self.peek(0)?;
            let line = self.line;
            match character {
                _ if character.is_whitespace() => self.advance(1),
                '/' if self.peek(1) == Some('/') => self.skip_line(),
                '/' if self.peek(1) == Some('*') => self.skip_comment(),
                '"' => self.skip_string(),
                '\'' => self.skip_quote(),
                '0'..='9' => self.skip_number(),
                _ if is_name_part(character) => {
                    let name = self.take_name();
                    if !self.skip_prefixed_literal(&name) {
                        return Some(Token { kind: Kind::Name(name), line });
                    }
                }
                ':' if self.peek(1) == Some(':') => {
                    self.advance(2);
                    return Some(Token { kind: Kind::PathSeparator, line });
                }
                _ => {
                    self.advance(1);
                    return Some(Token { kind: Kind::Mark(character), line });
                }
            }
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    fn advance(&mut self, count: usize) {
        for _ in 0..count {
            if self.peek(0) == Some('\n') {
                self.line += 1;
            }
            self.at += 1;
        }
    }

    fn skip_line(&mut self) {
        while self.peek(0).is_some_and(|character| character != '\n') {
            self.advance(1);
        }
    }

    fn skip_comment(&mut self) {
        let mut depth = 0_usize;
        while let Some(character) = self.peek(0) {
            match (character, self.peek(1)) {
                ('/', Some('*')) => {
                    depth += 1;
                    self.advance(2);
                }
                ('*', Some('/')) => {
                    depth -= 1;
                    self.advance(2);
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.advance(1),
            }
        }
    }

    /// A string with escapes, from its opening quote on.
    fn skip_string(&mut self) {
        self.advance(1);
        while let Some(character) = self.peek(0) {
            self.advance(if character == '\\' { 2 } else { 1 });
            if character == '"' {
                return;
            }
        }
    }

    /// A raw string, from its hashes or its opening quote on.
    fn skip_raw_string(&mut self) {
        let mut hashes = 0;
        while self.peek(0) == Some('#') {
            hashes += 1;
            self.advance(1);
        }
        self.advance(1);
        while let Some(character) = self.peek(0) {
            self.advance(1);
            if character == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                self.advance(hashes);
                return;
            }
        }
    }

    /// A character in quotes, or the quote of a lifetime, whose name is then read as a name.
    fn skip_quote(&mut self) {
        match (self.peek(1), self.peek(2)) {
            (Some('\\'), _) => {
                self.advance(3);
                while self.peek(0).is_some_and(|character| character != '\'') {
                    self.advance(1);
                }
                self.advance(1);
            }
            (Some(_), Some('\'')) => self.advance(3),
            _ => self.advance(1),
        }
    }

    fn skip_number(&mut self) {
        while self.peek(0).is_some_and(is_name_part) {
            self.advance(1);
        }
    }

    fn take_name(&mut self) -> String {
        let start = self.at;
        while self.peek(0).is_some_and(is_name_part) {
            self.advance(1);
        }
        self.characters[start..self.at].iter().collect()
    }

    /// Skips the literal that `prefix` belongs to, as in `br"…"`, `r#"…"#` and `b'…'`.
    fn skip_prefixed_literal(&mut self, prefix: &str) -> bool {
        let quote = self.peek(0);
        match prefix {
            "b" | "c" if quote == Some('"') => self.skip_string(),
            "b" if quote == Some('\'') => self.skip_quote(),
            "r" | "br" | "cr" if quote == Some('"') => self.skip_raw_string(),
            "r" | "br" | "cr" if quote == Some('#') && matches!(self.peek(1), Some('"' | '#')) => {
                self.skip_raw_string();
            }
            _ => return false,
        }
        true
    }
}

fn is_name_part(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        without_tests(&read(text))
            .into_iter()
            .filter_map(|token| match token.kind {
                Kind::Name(name) => Some(name),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn comments_and_strings_hold_no_names() {
        assert_eq!(names("a /* b /* c */ d */ e // f\n\"g \\\" h\" i"), ["a", "e", "i"]);
    }

    #[test]
    fn raw_and_byte_strings_hold_no_names() {
        assert_eq!(names(r##"a r#"b " c"# d b"e" br"f" g"##), ["a", "d", "g"]);
    }

    #[test]
    fn a_quote_is_a_character_or_a_lifetime() {
        assert_eq!(names(r"a '\'' b 'c' d b'e' <'f>"), ["a", "b", "d", "f"]);
    }

    #[test]
    fn a_token_knows_its_line() {
        let tokens = read("\"two\nlines\"\n// a comment\nname");
        assert_eq!(tokens, [Token { kind: Kind::Name("name".to_owned()), line: 4 }]);
    }

    #[test]
    fn what_is_compiled_for_tests_only_is_left_out() {
        assert_eq!(names("a #[cfg(test)] mod t { b { c } } d"), ["a", "d"]);
        assert_eq!(
            names("a #[cfg(test)] use b::{c, d}; #[derive(E)] f"),
            ["a", "derive", "E", "f"]
        );
        assert_eq!(names("a #[cfg(all(test, unix))] #[x] fn b() -> [u8; 3] { c } d"), ["a", "d"]);
        assert_eq!(names("struct S { #[cfg(test)] a: B } c"), ["struct", "S", "c"]);
        assert_eq!(names("#![cfg(test)] a"), [""; 0]);
    }

    #[test]
    fn what_is_compiled_without_tests_stays() {
        assert_eq!(names("#[cfg(not(test))] a"), ["cfg", "not", "test", "a"]);
    }
}
