//! The timing harness: registers on every port of a device, so that it can be placed and routed without what surrounds it.
//!
//! Inputs come from one long shift register, outputs go through a register each into a signature that is shifted out. Nothing
//! can be optimised away, and every path of the device begins and ends in a register. It tests nothing and moves no data.

use anyhow::{Context, Result, ensure};

/// A port of module `top`.
#[derive(Debug, PartialEq)]
struct Port<'a> {
    is_input: bool,
    name: &'a str,
    bits: usize,
}

/// Ports that the harness hands through. The LEDs are in the soft core's clock, so that the signature cannot take them in.
const OWN: [&str; 4] = ["clock", "core_clock", "reset", "leds"];

/// Verilog of module `timing_harness` around module `top` of `verilog`.
///
/// # Errors
/// A text without such a module, or one that lacks clocks, reset or LEDs.
pub fn around(verilog: &str) -> Result<String> {
    let ports = ports(verilog)?;
    for own in OWN {
        ensure!(
            ports.iter().any(|port| port.name == own),
            "the device's Verilog has no port {own}"
        );
    }
    let bits = |inputs: bool| -> usize {
        ports
            .iter()
            .filter(|port| port.is_input == inputs && !OWN.contains(&port.name))
            .map(|port| port.bits)
            .sum()
    };
    let (inputs, outputs) = (bits(true), bits(false));
    ensure!(
        inputs > 1 && outputs > 1,
        "the device's Verilog has {inputs} bits of inputs and {outputs} of outputs"
    );
    let (mut from, mut to) = (0, 0);
    let connections = ports.iter().map(|port| {
        if OWN.contains(&port.name) {
            return format!("      .{0}({0})", port.name);
        }
        let (vector, low) = if port.is_input {
            ("stimulus", &mut from)
        } else {
            ("response", &mut to)
        };
        let first = *low;
        *low += port.bits;
        format!("      .{}({vector}[{}:{first}])", port.name, *low - 1)
    });
    let connections = connections.collect::<Vec<_>>().join(",\n");
    Ok(format!(
        "// Registers on every port of the device. Made by: cargo xtask bitstream
module timing_harness(
   input clock, input core_clock, input reset, input serial_in, output serial_out, output [7:0] leds
);
   reg [{i}:0] stimulus = 0;
   wire [{o}:0] response;
   reg [{o}:0] captured = 0, signature = 0;
   assign serial_out = signature[{o}];
   always @(posedge clock) begin
      stimulus <= {{stimulus[{i1}:0], serial_in}};
      captured <= response;
      signature <= {{signature[{o1}:0], signature[{o}]}} ^ captured;
   end
   top device(
{connections}
   );
endmodule
",
        i = inputs - 1,
        i1 = inputs - 2,
        o = outputs - 1,
        o1 = outputs - 2,
    ))
}

/// Modules that the device is put together from: those directly in `top` that have modules of their own. Registers have none.
pub fn modules(verilog: &str) -> Vec<String> {
    let names: Vec<_> = verilog
        .lines()
        .filter_map(|line| line.strip_prefix("module top$")?.split('(').next())
        .collect();
    let has_children = |name: &&&str| {
        names.iter().any(|other| {
            other
                .strip_prefix(**name)
                .is_some_and(|rest| rest.starts_with('$'))
        })
    };
    names
        .iter()
        .filter(|name| !name.contains('$'))
        .filter(has_children)
        .map(|name| format!("top${name}"))
        .collect()
}

/// Ports of module `top`, as rust-hdl declares them: one a line, between the module's name and its `endmodule`.
fn ports(verilog: &str) -> Result<Vec<Port<'_>>> {
    let (_, top) = verilog
        .split_once("\nmodule top(")
        .context("the device's Verilog has no module top")?;
    let (names, body) = top
        .split_once(");")
        .context("the header of module top does not end")?;
    let (body, _) = body
        .split_once("\nendmodule")
        .context("module top does not end")?;
    names
        .split(',')
        .map(|name| declaration(body, name.trim()))
        .collect()
}

fn declaration<'a>(body: &str, name: &'a str) -> Result<Port<'a>> {
    let found = body.lines().find_map(|line| {
        let words: Vec<_> = line.trim().strip_suffix(';')?.split_whitespace().collect();
        let is_input = match *words.first()? {
            "input" => true,
            "output" => false,
            _ => return None,
        };
        (*words.last()? == name).then_some(())?;
        let range = words.iter().find_map(|word| word.strip_prefix('['));
        let bits = match range {
            Some(range) => range.strip_suffix(":0]")?.parse::<usize>().ok()? + 1,
            None => 1,
        };
        Some(Port {
            is_input,
            name,
            bits,
        })
    });
    found.with_context(|| format!("module top does not declare its port {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: &str = "// header
module top(clock,core_clock,reset,data,valid,leds,address);
    
    // Module arguments
    input wire  clock;
    input wire  core_clock;
    input wire  reset;
    input wire [63:0] data;
    output wire  valid;
    output reg [7:0] leds;
    output reg [2:0] address;
endmodule

module top$child(data);
    input wire [31:0] data;
endmodule
";

    #[test]
    fn every_bit_has_its_register() {
        let verilog = around(DEVICE).unwrap();
        for expected in [
            "reg [63:0] stimulus",
            "reg [3:0] captured",
            ".core_clock(core_clock)",
            ".data(stimulus[63:0])",
            ".valid(response[0:0])",
            ".leds(leds)",
            ".address(response[3:1])",
            "{stimulus[62:0], serial_in}",
        ] {
            assert!(verilog.contains(expected), "no `{expected}` in {verilog}");
        }
    }

    #[test]
    fn modules_with_modules_in_them_have_a_row() {
        let verilog = "module top(a);\nmodule top$c2h(a);\nmodule top$c2h$walker(a);\nmodule top$c2h_table(a);\n\
                       module top$alive(d,q,clock);\nmodule VexRiscv (";
        assert_eq!(modules(verilog), ["top$c2h"]);
        let verilog = format!("{verilog}\nmodule top$c2h_table$words(a);");
        assert_eq!(modules(&verilog), ["top$c2h", "top$c2h_table"]);
    }

    #[test]
    fn other_texts_are_refused() {
        for (text, reason) in [
            (String::new(), "no module top"),
            (DEVICE.replace("\nendmodule", ""), "does not end"),
            (
                DEVICE.replace("[2:0] address", "[2:0] addr"),
                "port address",
            ),
            (
                DEVICE.replace("[2:0] address", "[2:1] address"),
                "port address",
            ),
            (DEVICE.replace("leds", "lights"), "no port leds"),
        ] {
            let error = around(&text).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
