//! The mailbox between gateware and firmware: 128-bit entries of four 32-bit words.
//!
//! Who sends what when is told in docs/gateware.md, section "Mailbox". An ADMIN message is followed by four raw entries:
//! the 64 bytes of the admin entry.

use crate::declare::*;
use crate::limits::{QUEUES, RESIDENT_WAYS};
use crate::{DecodeError, Direction, FirmwareState, Status};

/// Id of a transfer context: index in bits 3:0, direction in bit 4, and in bits 7:5 a sequence number that counts the
/// transfers the context has served. Answers echo all eight bits, so that one to an earlier transfer is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContextId(u8);

impl ContextId {
    /// Number of contexts, both directions together.
    pub const COUNT: usize = 32;

    /// The context `index` (0 to 15) of a direction, if there is one.
    pub const fn new(direction: Direction, index: u8) -> Option<Self> {
        if index < 16 {
            Some(Self((direction as u8) << 4 | index))
        } else {
            None
        }
    }

    /// The id that a field holds, if it is one.
    #[inline]
    pub const fn from_code(value: u64) -> Option<Self> {
        if value <= 0xff {
            Some(Self(value as u8))
        } else {
            None
        }
    }

    /// The id as a field holds it.
    #[inline]
    pub const fn code(self) -> u64 {
        self.0 as u64
    }

    /// Direction of the context.
    pub const fn direction(self) -> Direction {
        if self.0 & 0x10 == 0 {
            Direction::C2h
        } else {
            Direction::H2c
        }
    }

    /// Index among the contexts of its direction, 0 to 15.
    pub const fn index(self) -> usize {
        (self.0 & 0xf) as usize
    }

    /// Index among all contexts, 0 to 31.
    pub const fn number(self) -> usize {
        (self.0 & 0x1f) as usize
    }

    /// Sequence number, 0 to 7.
    pub const fn sequence(self) -> u8 {
        self.0 >> 5
    }
}

/// Way of a FILL whose region is not to stay on chip.
pub const NOT_KEPT: u16 = 0xffff;

codes! {
    /// What a QUIESCED message speaks of.
    pub enum Quiesce {
        /// A region: nothing reads or writes through it any more.
        Region = 0,
        /// A queue: none of its transfers is left.
        Queue = 1,
    }
}

/// The Rust type of a field: its code, if it holds one.
macro_rules! field_type {
    ($ty:ident) => {
        $ty
    };
    ($ty:ident $code:ident) => {
        $code
    };
}

/// Reads a field for an enum variant.
macro_rules! read_field {
    ($entry:ident $name:ident) => {
        $entry.$name()
    };
    ($entry:ident $name:ident $code:ident) => {
        $entry.$name()?
    };
}

/// Declares one side of the mailbox: a structure per kind in a module, the kinds' codes, and an enum over all.
macro_rules! mailbox {
    (
        $(#[doc = $doc:literal])+
        pub enum $side:ident in $module:ident $group:literal, kinds $kinds:ident {
            $(
                $(#[doc = $kdoc:literal])+
                $kind:ident = $value:literal $(checked by $check:path)? {
                    $( $(#[doc = $fdoc:literal])+ $name:ident: $ty:ident @ $at:literal $(as $code:ident)? ),* $(,)?
                }
            ),+ $(,)?
        }
    ) => {
        codes! {
            $(#[doc = $doc])+
            pub enum $kinds {
                $( $(#[doc = $kdoc])+ $kind = $value ),+
            }
        }

        #[doc = concat!("Layouts of the entries that [`", stringify!($side), "`] stands for.")]
        pub mod $module {
            use super::*;

            $( wire! {
                $(#[doc = $kdoc])+
                pub struct $kind: 16 bytes in $group $(, checked by $check)? {
                    /// Kind of the entry.
                    kind: u8 @ 0x00 as $kinds,
                    $( $(#[doc = $fdoc])+ $name: $ty @ $at $(as $code)?, )*
                }
            } )+

            /// Every layout of the module.
            pub const STRUCTURES: &[crate::describe::Structure] = &[ $( $kind::STRUCTURE ),+ ];
        }

        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $side {
            $(
                $(#[doc = $kdoc])+
                $kind { $( $(#[doc = $fdoc])+ $name: field_type!($ty $($code)?) ),* }
            ),+
        }

        impl $side {
            /// The entry's four words.
            pub fn encode(self) -> [u32; 4] {
                match self {
                    $( Self::$kind { $($name),* } => pastey::paste! {
                        $module::$kind::new().with_kind($kinds::$kind) $( .[<with_ $name>]($name) )* .to_words()
                    } ),+
                }
            }

            /// Reads an entry of four words.
            ///
            /// # Errors
            /// An unknown kind, a reserved bit, a code or a number out of range.
            pub fn decode(words: [u32; 4]) -> Result<Self, DecodeError> {
                let kind = u64::from(words[0] & 0xff);
                match $kinds::from_code(kind) {
                    $( Some($kinds::$kind) => {
                        let entry = $module::$kind::from_words(words);
                        entry.check()?;
                        Ok(Self::$kind { $( $name: read_field!(entry $name $($code)?) ),* })
                    } )+
                    None => Err(DecodeError::UnknownCode { structure: stringify!($side), field: "kind", value: kind }),
                }
            }
        }
    };
}

mailbox! {
    /// What the gateware tells the firmware.
    pub enum Message in message "message", kinds MessageKind {
        /// A transfer's region is not on chip: answer with FILL or REJECT.
        Miss = 1 {
            /// Context.
            ctx: u8 @ 0x01 as ContextId,
            /// Generation that the submission names.
            generation: u16 @ 0x02,
            /// Region id: its low bits are the set.
            region: u32 @ 0x04,
            /// The submission's sg_hint, not checked yet.
            sg_hint: u32 @ 0x08,
            /// Ways of the set that hold a region, one bit each.
            valid: u8 @ 0x0c,
            /// Ways that have been hit since a region last came to stay in the set.
            used: u8 @ 0x0d,
            /// Ways whose SG block a transfer uses: they cannot be given away.
            pinned: u8 @ 0x0e,
        },
        /// An admin entry: the next four raw entries are its 64 bytes. Comes again, with another ticket, for firmware that starts anew.
        Admin = 5 {
            /// 1 if the queue that the entry names was enabled when the entry came.
            exists: u8 @ 0x01,
            /// Names this message among others: what is done for it echoes it.
            ticket: u8 @ 0x08,
        },
        /// An abort has finished: no read is in flight and the last write has entered the posted FIFO.
        Quiesced = 6 {
            /// Direction that has gone quiet; the other one sends its own message.
            direction: u8 @ 0x01 as Direction,
            /// What was aborted.
            what: u16 @ 0x02 as Quiesce,
            /// Its id.
            id: u32 @ 0x04,
            /// Ticket of the abort.
            ticket: u8 @ 0x08,
        },
    }
}

mailbox! {
    /// What the firmware tells the gateware.
    pub enum Command in command "command", kinds CommandKind {
        /// Answers MISS: where the region stays, if it stays; its entry is being read meanwhile, and its SG block follows.
        Fill = 1 checked by check_fill {
            /// Context.
            ctx: u8 @ 0x01 as ContextId,
            /// Way of the region's set to keep it in, in the place of what that holds; 0xffff: for this transfer alone.
            way: u16 @ 0x02,
        },
        /// Answers MISS: end the transfer with the status.
        Reject = 2 {
            /// Context.
            ctx: u8 @ 0x01 as ContextId,
            /// Status of the completion.
            status: u16 @ 0x02 as Status,
        },
        /// Writes 64 bits of a queue context.
        Queue = 4 checked by check_queue_word {
            /// Queue id.
            queue: u8 @ 0x01,
            /// Which 64-bit word of the queue context, 0 to 5.
            word: u16 @ 0x02,
            /// Its bits 31:0.
            low: u32 @ 0x04,
            /// Its bits 63:32.
            high: u32 @ 0x08,
        },
        /// Starts a queue.
        Enable = 5 checked by check_enable {
            /// Queue id.
            queue: u8 @ 0x01,
        },
        /// Stops a queue: no further entry of it is read.
        Disable = 6 checked by check_disable {
            /// Queue id.
            queue: u8 @ 0x01,
        },
        /// Aborts the transfers of a region; QUIESCED follows.
        AbortRegion = 7 {
            /// Region id.
            region: u32 @ 0x04,
            /// Ticket of the ADMIN that asks for it.
            ticket: u8 @ 0x08,
        },
        /// Writes the completion of an admin entry; dropped unless it answers the last ADMIN.
        AdminDone = 8 {
            /// How the command ended.
            status: u16 @ 0x02 as Status,
            /// Bits 31:0 of the admin entry's cookie.
            cookie_low: u32 @ 0x04,
            /// Bits 63:32 of the admin entry's cookie.
            cookie_high: u32 @ 0x08,
            /// Ticket of the ADMIN.
            ticket: u8 @ 0x0c,
        },
        /// STATUS: the firmware's heartbeat and state, for register FIRMWARE_STATE.
        Heartbeat = 9 {
            /// State.
            state: u32 @ 0x04 as FirmwareState,
            /// Detail: the register shows bits 23:0.
            detail: u32 @ 0x08,
        },
        /// Bytes of the firmware's log.
        Log = 10 checked by check_log {
            /// How many bytes, 1 to 12.
            count: u16 @ 0x02,
            /// Bytes 0 to 3, the first one lowest.
            bytes0: u32 @ 0x04,
            /// Bytes 4 to 7.
            bytes1: u32 @ 0x08,
            /// Bytes 8 to 11.
            bytes2: u32 @ 0x0c,
        },
        /// Aborts the transfers of a queue; QUIESCED follows.
        AbortQueue = 11 checked by check_abort_queue {
            /// Queue id.
            queue: u8 @ 0x01,
            /// Ticket of the ADMIN that asks for it.
            ticket: u8 @ 0x08,
        },
    }
}

fn within(
    structure: &'static str,
    field: &'static str,
    value: u64,
    bound: usize,
    rule: &'static str,
) -> Result<(), DecodeError> {
    if value < bound as u64 {
        Ok(())
    } else {
        Err(DecodeError::OutOfRange {
            structure,
            field,
            value,
            rule,
        })
    }
}

const QUEUE_RULE: &str = "a device has at most 16 queues";

fn check_fill(fill: &command::Fill) -> Result<(), DecodeError> {
    if fill.way() == NOT_KEPT {
        return Ok(());
    }
    within(
        "Fill",
        "way",
        fill.way().into(),
        RESIDENT_WAYS,
        "a set has 4 ways",
    )
}

fn check_queue_word(queue: &command::Queue) -> Result<(), DecodeError> {
    within("Queue", "queue", queue.queue().into(), QUEUES, QUEUE_RULE)?;
    within(
        "Queue",
        "word",
        queue.word().into(),
        crate::QueueContext::BYTES / 8,
        "a queue context has 6 words",
    )
}

fn check_enable(enable: &command::Enable) -> Result<(), DecodeError> {
    within("Enable", "queue", enable.queue().into(), QUEUES, QUEUE_RULE)
}

fn check_disable(disable: &command::Disable) -> Result<(), DecodeError> {
    within(
        "Disable",
        "queue",
        disable.queue().into(),
        QUEUES,
        QUEUE_RULE,
    )
}

fn check_abort_queue(abort: &command::AbortQueue) -> Result<(), DecodeError> {
    within(
        "AbortQueue",
        "queue",
        abort.queue().into(),
        QUEUES,
        QUEUE_RULE,
    )
}

fn check_log(log: &command::Log) -> Result<(), DecodeError> {
    within(
        "Log",
        "count",
        u64::from(log.count()).wrapping_sub(1),
        12,
        "a log entry carries 1 to 12 bytes",
    )
}
