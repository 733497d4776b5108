//! Descriptors, sideband and packets, put together from the bit positions that PG213 prints.

/// A word of named bit ranges.
#[derive(Clone)]
pub struct Fields(Vec<bool>);

impl Fields {
    pub fn new(bits: usize) -> Self {
        Self(vec![false; bits])
    }

    /// Sets bits `high` to `low`, which the value must fit.
    pub fn with(mut self, high: usize, low: usize, value: u64) -> Self {
        assert!(
            high - low == 63 || value >> (high - low + 1) == 0,
            "{value:#x} in {high}:{low}"
        );
        for (index, bit) in self.0[low..=high].iter_mut().enumerate() {
            *bit = value >> index & 1 == 1;
        }
        self
    }

    /// The word in DWs, least significant first.
    pub fn dwords(&self) -> Vec<u32> {
        let dword = |bits: &[bool]| {
            bits.iter()
                .rev()
                .fold(0, |dword, bit| dword << 1 | u32::from(*bit))
        };
        self.0.chunks(32).map(dword).collect()
    }
}

/// The framing signals of a 512-bit interface without straddle; `at` are the positions of is_sop, is_sop0_ptr, is_eop and is_eop0_ptr, `end` is
/// the last DW's number in a last beat.
pub fn sideband(fields: Fields, at: [usize; 4], first: bool, end: Option<usize>) -> Fields {
    let [sop, sop_pointer, eop, eop_pointer] = at;
    fields
        .with(sop + 1, sop, first.into())
        .with(sop_pointer + 1, sop_pointer, 0)
        .with(eop + 1, eop, end.is_some().into())
        .with(eop_pointer + 3, eop_pointer, end.unwrap_or(0) as u64)
}

/// A packet that comes in beats of (tlast, tkeep, tdata).
pub struct Packet {
    lanes: usize,
    dwords: Vec<u32>,
}

impl Packet {
    pub fn new(lanes: usize) -> Self {
        Self {
            lanes,
            dwords: Vec::new(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.dwords.is_empty()
    }

    /// Whether this was the last beat.
    pub fn push(&mut self, beat: &[Vec<u32>]) -> bool {
        let (last, keep) = (beat[0][0] == 1, beat[1][0]);
        let count = keep.trailing_ones() as usize;
        assert_eq!(keep, (1u32 << count) - 1, "tkeep has a hole");
        assert!(
            count == self.lanes || (last && count > 0),
            "tkeep {keep:#x}"
        );
        self.dwords.extend(&beat[2][..count]);
        last
    }

    pub fn take(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.dwords)
    }
}
