//! The driver of this system.

#[cfg(windows)]
pub use crate::windows::DriverTransport;
#[cfg(not(windows))]
pub use none::DriverTransport;

use crate::{Device, Error};

impl Device<DriverTransport> {
    /// Opens the device of this name, one of [`list`](Self::list); `None` opens the first.
    ///
    /// # Errors
    /// There is none, or it cannot be opened.
    pub fn open(name: Option<&str>) -> Result<Self, Error> {
        Self::new(DriverTransport::open(name)?)
    }

    /// Names of the devices that are present.
    ///
    /// # Errors
    /// The system does not say.
    pub fn list() -> Result<Vec<String>, Error> {
        DriverTransport::list()
    }
}

#[cfg(not(windows))]
mod none {
    use pinring_ioctl::Code;

    use crate::{Error, Pending, Status, Transport};

    /// The way to the driver of this system; there is none yet but on Windows, so that there is never a value of it.
    #[derive(Debug)]
    pub enum DriverTransport {}

    impl DriverTransport {
        /// Opens the device of this name; `None` opens the first.
        ///
        /// # Errors
        /// Always [`Error::NoDriver`] here.
        pub fn open(_name: Option<&str>) -> Result<Self, Error> {
            Err(Error::NoDriver)
        }

        /// Names of the devices that are present.
        ///
        /// # Errors
        /// Always [`Error::NoDriver`] here.
        pub fn list() -> Result<Vec<String>, Error> {
            Err(Error::NoDriver)
        }
    }

    impl Transport for DriverTransport {
        unsafe fn start(&self, _: Code, _: &[u8], _: *mut u8, _: usize) -> Result<Pending, Status> {
            match *self {}
        }

        fn wait(&self, _: &Pending, _: Option<u64>) -> Option<Result<usize, Status>> {
            match *self {}
        }

        fn cancel(&self, _: &Pending) {
            match *self {}
        }

        fn now_ns(&self) -> u64 {
            match *self {}
        }

        fn relax(&self) {
            match *self {}
        }
    }
}
