//! Follows JSON text just closely enough to find the value of a top-level member.

/// What stands next in the outermost object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Key,
    Colon,
    Value,
    Comma,
}

/// What a byte means to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing to note.
    Plain,
    /// The opening quote of a key of the outermost object.
    KeyStarts,
    /// The closing quote of such a key.
    KeyEnds,
    /// The opening quote of a string that is a value of the outermost object.
    TextStarts,
}

/// Where in the text the reader is. Right for well-formed JSON; harmless, and wrong at will, after the first error.
#[derive(Debug)]
pub(super) struct Scanner {
    depth: usize,
    next: Next,
    in_string: bool,
    is_escaped: bool,
}

impl Scanner {
    pub(super) fn new() -> Self {
        Self {
            depth: 0,
            next: Next::Key,
            in_string: false,
            is_escaped: false,
        }
    }

    /// Moves over one byte.
    pub(super) fn step(&mut self, byte: u8) -> Step {
        if self.in_string {
            return self.step_in_string(byte);
        }
        match byte {
            b'"' => return self.open_string(),
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b':' if self.depth == 1 => self.next = Next::Value,
            b',' if self.depth == 1 => self.next = Next::Key,
            _ => {}
        }
        Step::Plain
    }

    /// Goes on behind a string that was read elsewhere, its opening quote aside.
    pub(super) fn leave_string(&mut self) {
        self.in_string = false;
        self.next = Next::Comma;
    }

    fn open_string(&mut self) -> Step {
        self.in_string = true;
        match (self.depth, self.next) {
            (1, Next::Key) => Step::KeyStarts,
            (1, Next::Value) => Step::TextStarts,
            _ => Step::Plain,
        }
    }

    fn step_in_string(&mut self, byte: u8) -> Step {
        if self.is_escaped {
            self.is_escaped = false;
            return Step::Plain;
        }
        self.is_escaped = byte == b'\\';
        if byte != b'"' {
            return Step::Plain;
        }
        self.in_string = false;
        match (self.depth, self.next) {
            (1, Next::Key) => {
                self.next = Next::Colon;
                Step::KeyEnds
            }
            (1, Next::Value) => {
                self.next = Next::Comma;
                Step::Plain
            }
            _ => Step::Plain,
        }
    }
}
