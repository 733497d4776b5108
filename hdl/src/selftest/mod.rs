//! The bring-up self-test: a device with its host on the same chip, to try a board with that has no PCIe.
//!
//! ```text
//!            core_clock |                      clock
//!                       |
//!   HostProcessor ------|--> HostBus --BAR0----------> +--------+ <--C2H-- PatternSource
//!     UartTransmitter   |      |                       | Device |
//!     leds              |    HostMemory <- TlpReceiver - +--------+ --H2C--> CheckingSink
//!                       |            \---> Completer --->
//! ```
//!
//! [`RootComplex`] is what stands between host memory and the device's link. The processor runs `firmware/selftest`: it does what a
//! driver does, checks every byte, and reports over the UART and by LEDs. The device and its firmware are those of every
//! other design; nothing in them knows that this is a test. A data path of 64 bits.

mod bus;
mod completer;
mod host;
mod image;
mod memory;
mod receiver;
mod root_complex;
mod uart;
mod window;

pub use bus::{BusState, HostBus};
pub use completer::{Completer, CompleterState};
pub use host::HostProcessor;
pub use image::{CORE_HZ, SelfTest, UART_BIT, WIDTH, verilog};
pub use memory::HostMemory;
pub use receiver::{MPS, MRRS, TlpReceiver};
pub use root_complex::{RootComplex, TIMEOUT};
pub use uart::UartTransmitter;
pub use window::HostWindow;
