//! Why a run ends before its last transfer.

use pinring_core::{BurstError, QueueError};
use pinring_protocol::Status;

use super::setup::SetupError;
use crate::board::MachineError;
use crate::cpu::CpuError;
use crate::scenario::Strategy;

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It could not begin.
    #[error("{strategy}: {cause}")]
    Setup {
        /// Strategy.
        strategy: Strategy,
        /// Why.
        cause: SetupError,
    },
    /// The machine stopped.
    #[error("{strategy}: {cause}")]
    Machine {
        /// Strategy.
        strategy: Strategy,
        /// Why.
        cause: MachineError,
    },
    /// The driver stopped.
    #[error("{strategy}: {cause}")]
    Driver {
        /// Strategy.
        strategy: Strategy,
        /// Why.
        cause: String,
    },
    /// A transfer ended with an error.
    #[error(
        "{strategy}: transfer {index} of burst {burst} ended with status {status:?} after {bytes} bytes"
    )]
    Failed {
        /// Strategy.
        strategy: Strategy,
        /// Burst, counted from 0.
        burst: u32,
        /// Transfer, counted from 0.
        index: u32,
        /// Status.
        status: Status,
        /// Bytes moved.
        bytes: u64,
    },
}

/// What stops a strategy, before it is given its name.
pub(super) enum Stop {
    Setup(SetupError),
    Machine(MachineError),
    Driver(String),
    Failed {
        burst: u32,
        index: u32,
        status: Status,
        bytes: u64,
    },
}

macro_rules! from {
    ($($type:ty => $convert:expr),+ $(,)?) => {
        $(impl From<$type> for Stop {
            fn from(cause: $type) -> Self {
                $convert(cause)
            }
        })+
    };
}

from! {
    SetupError => Self::Setup,
    MachineError => Self::Machine,
    BurstError => |cause: BurstError| Self::Driver(cause.to_string()),
    QueueError => |cause: QueueError| Self::Driver(cause.to_string()),
    CpuError => |cause: CpuError| Self::Driver(cause.to_string()),
}

impl Stop {
    pub(super) fn of(self, strategy: Strategy) -> RunError {
        match self {
            Self::Setup(cause) => RunError::Setup { strategy, cause },
            Self::Machine(cause) => RunError::Machine { strategy, cause },
            Self::Driver(cause) => RunError::Driver { strategy, cause },
            Self::Failed {
                burst,
                index,
                status,
                bytes,
            } => RunError::Failed {
                strategy,
                burst,
                index,
                status,
                bytes,
            },
        }
    }
}
