//! Port lists, and where each port lies in the words that caller and model share.

use crate::error::{Error, Result};
use std::collections::HashSet;
use std::fmt::Write;

/// Which way a port's value travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Into the module.
    Input,
    /// Out of the module.
    Output,
}

/// One port of the top module.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Port {
    /// Name in the Verilog.
    pub name: String,
    /// Width in bits, at least 1.
    pub width: usize,
    /// Direction.
    pub direction: Direction,
}

impl Port {
    /// An input of `width` bits.
    pub fn input(name: impl Into<String>, width: usize) -> Self {
        Self {
            name: name.into(),
            width,
            direction: Direction::Input,
        }
    }

    /// An output of `width` bits.
    pub fn output(name: impl Into<String>, width: usize) -> Self {
        Self {
            name: name.into(),
            width,
            direction: Direction::Output,
        }
    }

    /// Number of 32-bit words the port occupies: ceil(width / 32).
    pub fn words(&self) -> usize {
        self.width.div_ceil(32)
    }
}

/// Where the ports lie: each occupies ceil(width / 32) words in list order, least significant word first.
///
/// A `#[repr(C)]` struct of `u32` and `[u32; N]` fields in the same order has this very layout.
#[derive(Clone, Debug)]
pub struct Layout {
    ports: Vec<Port>,
    first: Vec<usize>,
    words: usize,
}

impl Layout {
    /// Lays out the ports of module `top`.
    ///
    /// # Errors
    /// [`Error::Ports`] for names that are no plain Verilog identifiers, names that occur twice, and ports without width.
    pub fn new(top: &str, ports: &[Port]) -> Result<Self> {
        let refuse = |reason| Error::Ports {
            top: top.into(),
            reason,
        };
        if !is_identifier(top) {
            return Err(refuse(format!("`{top}` is not a Verilog identifier")));
        }
        let mut seen = HashSet::new();
        let mut first = Vec::with_capacity(ports.len());
        let mut words = 0;
        for port in ports {
            if !is_identifier(&port.name) {
                return Err(refuse(format!(
                    "`{}` is not a Verilog identifier",
                    port.name
                )));
            }
            if port.width == 0 {
                return Err(refuse(format!("port `{}` has no width", port.name)));
            }
            if !seen.insert(port.name.as_str()) {
                return Err(refuse(format!("port `{}` is listed twice", port.name)));
            }
            first.push(words);
            words += port.words();
        }
        Ok(Self {
            ports: ports.to_vec(),
            first,
            words,
        })
    }

    /// The ports, in list order.
    pub fn ports(&self) -> &[Port] {
        &self.ports
    }

    /// Size of the whole, in 32-bit words.
    pub fn words(&self) -> usize {
        self.words
    }

    /// Index of the port with this name.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.ports.iter().position(|port| port.name == name)
    }

    /// The words of port `index`. Panics, as a slice does, when there is no such port.
    pub fn range(&self, index: usize) -> std::ops::Range<usize> {
        self.first[index]..self.first[index] + self.ports[index].words()
    }

    /// C++ header that tells `shim.cpp` about the ports.
    pub(crate) fn header(&self, trace: bool) -> String {
        let list = |direction| {
            let mut list = String::new();
            for (index, port) in self
                .ports
                .iter()
                .enumerate()
                .filter(|(_, port)| port.direction == direction)
            {
                write!(
                    list,
                    " \\\n    X(p{index}, {}, {})",
                    self.first[index], port.width
                )
                .expect("writing to a String cannot fail");
            }
            list
        };
        format!(
            "#define PINRING_CAN_TRACE {}\n#define PINRING_INPUTS(X){}\n#define PINRING_OUTPUTS(X){}\n",
            u8::from(trace),
            list(Direction::Input),
            list(Direction::Output)
        )
    }

    /// Verilog module around `top` whose ports are `p0`, `p1`, ...: no Verilog name has to survive in C++, and Verilator
    /// checks that the list names every port with its width.
    pub(crate) fn wrapper(&self, top: &str) -> String {
        let mut declarations = Vec::new();
        let mut connections = Vec::new();
        for (index, port) in self.ports.iter().enumerate() {
            let direction = match port.direction {
                Direction::Input => "input",
                Direction::Output => "output",
            };
            declarations.push(format!(
                "    {direction} wire [{}:0] p{index}",
                port.width - 1
            ));
            connections.push(format!("        .{}(p{index})", port.name));
        }
        format!(
            "module pinring_model(\n{}\n);\n    {top} {top}(\n{}\n    );\nendmodule\n",
            declarations.join(",\n"),
            connections.join(",\n")
        )
    }
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || char == '_' || char == '$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_follow_each_other_in_whole_words() {
        let ports = [
            Port::input("a", 1),
            Port::input("b", 33),
            Port::output("c", 512),
            Port::output("d", 64),
        ];
        let layout = Layout::new("top", &ports).unwrap();
        let ranges: Vec<_> = (0..4).map(|index| layout.range(index)).collect();
        assert_eq!(ranges, [0..1, 1..3, 3..19, 19..21]);
        assert_eq!(layout.words(), 21);
        assert_eq!(layout.index("c"), Some(2));
    }

    #[test]
    fn impossible_lists_are_refused() {
        for (ports, reason) in [
            (vec![Port::input("a", 0)], "has no width"),
            (
                vec![Port::input("a", 1), Port::output("a", 2)],
                "listed twice",
            ),
            (vec![Port::input("a;b", 1)], "not a Verilog identifier"),
        ] {
            let error = Layout::new("top", &ports).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        assert!(Layout::new("t op", &[]).is_err());
    }
}
