//! How a machine is made.

/// How long the CPU takes for a call.
pub trait Costs {
    /// Time in ps of a call of `ddi` for `units` (pages, bytes, otherwise 1).
    fn of(&self, ddi: &'static str, units: u64) -> u64;

    /// A CPU has spent `start_ps` to `end_ps` on a call of `ddi` for `units`: for whoever keeps a record.
    fn spent(&self, cpu: usize, start_ps: u64, end_ps: u64, ddi: &'static str, units: u64) {
        let _ = (cpu, start_ps, end_ps, ddi, units);
    }
}

/// The same time for every call.
#[derive(Clone, Copy, Debug)]
pub struct FlatCosts(
    /// Time of a call, in ps.
    pub u64,
);

impl Costs for FlatCosts {
    fn of(&self, _ddi: &'static str, _units: u64) -> u64 {
        self.0
    }
}

/// Parameters of a machine.
pub struct Config {
    /// CPUs, at least 1.
    pub cpus: usize,
    /// All that is left open (interleaving, delays, orders that Windows does not document) follows from this.
    pub seed: u64,
    /// Add random delays and thread switches.
    pub preempt: bool,
    /// Time per call.
    pub costs: Box<dyn Costs>,
    /// Makes the nth call (from 0) of a function fail with its documented status.
    pub fail: Option<(String, u64)>,
    /// MSI-X messages that the operating system grants, if fewer than the device has.
    pub messages_granted: Option<u32>,
    /// Values of the driver's Parameters key.
    pub registry: Vec<(String, u32)>,
    /// How long a power-managed request may keep the device in D0, in ps: 10 minutes in Windows, less here.
    pub power_timeout_ps: u64,
    /// How long the device alone may run before nothing more is expected of it, in ps.
    pub patience_ps: u64,
    /// How long the machine may run for one call from outside, in ps.
    pub limit_ps: u64,
    /// Host stack of each thread, in bytes.
    pub stack_bytes: usize,
    /// System, platform and INF, as far as DMA depends on them.
    pub dma: crate::dma::DmaConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cpus: 2,
            seed: 0,
            preempt: false,
            costs: Box::new(FlatCosts(100_000)),
            fail: None,
            messages_granted: None,
            registry: Vec::new(),
            power_timeout_ps: 10_000_000_000_000,
            patience_ps: 100_000_000_000,
            limit_ps: 1_000_000_000_000_000,
            stack_bytes: 1 << 20,
            dma: crate::dma::DmaConfig::default(),
        }
    }
}

impl Config {
    /// A machine with this seed and random preemption.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self {
            seed,
            preempt: true,
            ..Self::default()
        }
    }
}
