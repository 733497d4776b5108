//! `cargo xtask test --repack`: that another program in a finished bitstream is another program, and nothing else.

use super::Flow;
use super::board::Board;
use super::contents::FIRMWARE;
use crate::firmware::Firmware;
use crate::process::say;
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use std::fs;

/// A design that is nothing but a soft core's memory between shift registers, for the board's part.
const DESIGN: &str = "module board(input clk100, input serial_in, output reg serial_out);
   reg [61:0] in = 0;
   wire [31:0] fetched, read;
   always @(posedge clk100) begin
      in <= {in[60:0], serial_in};
      serial_out <= ^{fetched, read};
   end
   core_memory memory(
      .clock(clk100), .fetch_address(in[12:0]), .fetch_data(fetched), .address(in[25:13]), .read_data(read),
      .write_bytes(in[29:26]), .write_data(in[61:30])
   );
endmodule
";

/// Places and routes [`DESIGN`], fills it with the firmware and with one that differs in a word, and compares what is in the two packed
/// files: each bit that differs between the programs, and no other.
///
/// # Errors
/// Anything else.
pub fn run(workspace: &Workspace, firmware: &Firmware) -> Result<()> {
    const BOARD: &str = "ecp5-versa";
    let board = Board::find(workspace, BOARD)?;
    let flow = Flow::new(workspace, workspace.target.join("bitstream/repack"))?;
    flow.emit_image()?;
    flow.write("memory.v", DESIGN)?;
    flow.write("pins.lpf", "FREQUENCY PORT \"clk100\" 100 MHz;\n")?;
    flow.hold_place(&FIRMWARE)?;
    flow.synthesise(&["core_memory.v", "memory.v"], &["firmware.hex"], &[])?;
    flow.place(&board, &["--lpf-allow-unconstrained"])?;

    let words = fs::read_to_string(&firmware.words)
        .with_context(|| format!("cannot read {}", firmware.words.display()))?;
    let original = packed(&flow, &words, "original")?;
    // An instruction of the program, with four bits of it inverted.
    let place = words
        .lines()
        .position(|word| word != "00000000")
        .context("the firmware's image is empty")?;
    let changed: String = words
        .lines()
        .enumerate()
        .map(|(number, word)| {
            let word =
                u32::from_str_radix(word, 16).context("the firmware's image has other lines")?;
            let flips = if number == place { 0x8010_0401 } else { 0 };
            Ok(format!("{:08x}\n", word ^ flips))
        })
        .collect::<Result<_>>()?;
    let changed = packed(&flow, &changed, "changed")?;
    let Difference { contents, other } = compare(&original, &changed)?;
    ensure!(
        contents == 4 && other == 0,
        "programs that differ by 4 bits make bitstreams that differ by {contents} bits of block RAM and {other} other lines"
    );
    // The same program again is the same bitstream again.
    let again = packed(&flow, &words, "again")?;
    ensure!(
        again == original,
        "the same program makes another bitstream"
    );
    say("a changed word of firmware changes its own bits in the packed bitstream and nothing else");
    Ok(())
}

/// Fills, packs, and what ecpunpack makes of it.
fn packed(flow: &Flow<'_>, words: &str, name: &str) -> Result<String> {
    let source = format!("{name}.program.hex");
    flow.write(&source, words)?;
    flow.take_program(&FIRMWARE, &flow.file(&source))?;
    flow.fill(&[FIRMWARE])?;
    flow.pack(name)?;
    let (bitstream, config) = (format!("{name}.bit"), format!("{name}.unpacked"));
    flow.unpack(&bitstream, &config)?;
    flow.read(&config)
}

/// How two configurations differ.
#[derive(Debug, PartialEq)]
struct Difference {
    /// Bits of block RAM contents.
    contents: u32,
    /// Lines of anything else.
    other: usize,
}

/// Compares configurations, as ecpunpack writes them: a section a block RAM, with words of 9 bits.
fn compare(one: &str, two: &str) -> Result<Difference> {
    let (one, two): (Vec<_>, Vec<_>) = (one.lines().collect(), two.lines().collect());
    let mut difference = Difference {
        contents: 0,
        other: one.len().abs_diff(two.len()),
    };
    let mut in_contents = false;
    for (one, two) in one.into_iter().zip(two) {
        if one.starts_with('.') {
            in_contents = one.starts_with(".bram_init");
        }
        if one == two {
            continue;
        }
        if !in_contents || one.starts_with('.') {
            difference.other += 1;
            continue;
        }
        for (one, two) in one.split_whitespace().zip(two.split_whitespace()) {
            let [one, two] = [one, two].map(|word| u32::from_str_radix(word, 16));
            difference.contents += (one? ^ two?).count_ones();
        }
    }
    Ok(difference)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = ".device LFE5UM5G-45F\n\n.tile EBR\narc: A B\n\n.bram_init 3\n000 1ff 010\n001 000 000\n\n.bram_init 4\n000\n";

    #[test]
    fn differences_are_told_apart() {
        let compare = |from, to| {
            let Difference { contents, other } =
                compare(CONFIG, &CONFIG.replacen(from, to, 1)).unwrap();
            (contents, other)
        };
        assert_eq!(compare("none", ""), (0, 0));
        assert_eq!(compare("1ff", "0fe"), (2, 0));
        assert_eq!(compare("arc: A B", "arc: A C"), (0, 1));
        assert_eq!(compare(".bram_init 4", ".bram_init 5"), (0, 1));
        assert_eq!(compare("\n.bram_init 4\n000\n", ""), (0, 3));
    }
}
