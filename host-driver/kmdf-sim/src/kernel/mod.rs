//! The kernel's own functions, by component.

mod etw;
mod ex;
mod io;
mod ke;
mod mdl;
mod mm;
mod ps;

pub use etw::*;
pub use ex::*;
pub use io::*;
pub use ke::*;
pub use mdl::*;
pub use mm::*;
pub use ps::*;

pub(crate) use ke::{deadline, sleep_until};
pub(crate) use mm::{mapped_read, mapped_write};
pub(crate) use ps::notify_process;
pub(crate) use ps::process_object;

use crate::verifier::Rule;
use crate::world::{World, point, require_irql};

/// What the kernel keeps.
#[derive(Default)]
pub(crate) struct State {
    ex: ex::Pools,
    mm: mm::Mappings,
    ps: ps::Processes,
    etw: etw::Providers,
    io: io::Log,
}

impl State {
    /// Whether an address range lies in one block of nonpaged pool.
    pub(crate) fn is_nonpaged_pool(&self, address: usize, bytes: usize) -> bool {
        self.ex.is_nonpaged(address, bytes)
    }

    /// The device's resources were taken from the driver, and with them the meaning of its mappings.
    pub(crate) fn resources_released(&mut self) {
        self.mm.resources_released();
    }

    /// Error log entries written, as (error code, final status).
    pub(crate) fn error_log(&self) -> &[(i32, i32)] {
        &self.io.written
    }

    /// Events written by EtwWrite.
    pub(crate) fn trace(&self) -> &[TraceEvent] {
        &self.etw.written
    }
}

impl World {
    /// Reports freed memory that was written: pool, object contexts, and what [`crate::Quarantine`] keeps.
    pub(crate) fn check_freed(&mut self) {
        self.kernel.ex.check_freed();
        self.objects.check_freed();
        let contexts = self.objects.written_after_free.drain(..);
        for (ddi, detail) in self
            .kernel
            .ex
            .written_after_free
            .drain(..)
            .chain(contexts)
            .collect::<Vec<_>>()
        {
            self.violation(Rule::WriteAfterFree, ddi, detail);
        }
        for (bytes, offset, freed_in) in crate::quarantine::take_written() {
            self.violation(
                Rule::WriteAfterFree,
                "dealloc",
                format!("an allocation of {bytes} bytes was written at offset {offset} after it was freed in {freed_in}"),
            );
        }
    }
}

/// Reports what the driver has not given back.
pub(crate) fn report_leaks(w: &mut World) {
    ex::report_leaks(w);
    mm::report_leaks(w);
    ps::report_leaks(w);
    etw::report_leaks(w);
    io::report_leaks(w);
}

/// The start of every function: time passes, and the IRQL is checked.
pub(crate) fn enter(ddi: &'static str, max_irql: u8) {
    point(ddi, 1);
    require_irql(ddi, max_irql);
}
