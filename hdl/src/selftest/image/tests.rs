//! The image is put together from modules that have their own tests; hdl/tests/selftest.rs runs it.

use super::verilog;
use crate::testing::{check_with_processor, file};

#[test]
fn the_image_is_accepted_by_the_tools() {
    let processor = std::fs::read_to_string(file("PINRING_VEXRISCV")).expect("VexRiscv_Lite.v");
    let verilog = verilog(&processor).expect("the image can be emitted");
    check_with_processor(&verilog, &processor);
}
