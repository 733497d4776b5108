//! The UART as an embedded-io writer.

use core::convert::Infallible;
use embedded_io::{ErrorType, Write};
use pinring_firmware::Registers;
use pinring_protocol::selftest::{UART, UART_BUSY};

/// The transmitter in the window. A line ends with CR LF on the wire, as terminals want it.
pub struct Uart<R>(pub R);

impl<R: Registers> Uart<R> {
    fn send(&mut self, byte: u8) {
        self.wait();
        self.0.write(UART, byte.into());
    }

    fn wait(&self) {
        while self.0.read(UART) & UART_BUSY != 0 {}
    }
}

impl<R> ErrorType for Uart<R> {
    type Error = Infallible;
}

impl<R: Registers> Write for Uart<R> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for &byte in bytes {
            if byte == b'\n' {
                self.send(b'\r');
            }
            self.send(byte);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        self.wait();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// A transmitter that is busy for a few reads after each byte.
    #[derive(Default)]
    struct Line {
        busy: Cell<u32>,
        sent: Vec<u8>,
    }

    impl Registers for Line {
        fn read(&self, offset: u32) -> u32 {
            assert_eq!(offset, UART);
            let busy = self.busy.get();
            self.busy.set(busy.saturating_sub(1));
            if busy > 0 { UART_BUSY } else { 0 }
        }

        fn write(&mut self, offset: u32, value: u32) {
            assert_eq!(
                (offset, self.busy.get()),
                (UART, 0),
                "bytes do not overtake"
            );
            self.sent.push(value as u8);
            self.busy.set(3);
        }
    }

    #[test]
    fn text_goes_out_byte_by_byte() {
        let mut uart = Uart(Line::default());
        writeln!(uart, "{} of {}", 3, 4).unwrap();
        uart.flush().unwrap();
        assert_eq!(uart.0.busy.get(), 0);
        assert_eq!(uart.0.sent, b"3 of 4\r\n");
    }
}
