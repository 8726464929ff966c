//! Blowfish with bcrypt's expensive key schedule, for N lanes at a time.
//!
//! A round of the cipher looks up four words in its S-boxes, at places that the round before gave it: a chain of loads
//! from the L1 cache, each waiting some five cycles for the one before, during which the core could start a dozen
//! others. The lanes' chains don't depend on each other; they need only stand near enough in the instruction stream
//! for the core to overlap them. So every step here is a loop over the lanes, two rounds at most in one go, and N is a
//! constant: the loops unroll, and the blocks stay in registers.
//!
//! Nothing branches on a key: what is done is the same for all of them. No index is checked at run time either: an
//! S-box has a word for each `u8`, and all other indices are constants of the loops.
//!
//! What it does not do: see that a key is made as bcrypt wants it; that is `lib.rs`.

#![expect(clippy::needless_range_loop, reason = "the same lane of several arrays is meant")]

use zeroize::Zeroize;

use crate::pi;

/// A 64-bit block of each lane, in its left and right halves.
type Blocks<const N: usize> = ([u32; N], [u32; N]);

/// One lane's cipher. Wiped when dropped; it is keyed inside its box and stays there, as each move would leave a copy
/// behind.
pub struct EksBlowfish {
    p: [u32; 18],
    s: [[u32; 256]; 4],
    /// Key and salt, each repeated to the P-array's length, or cut to it: 72 bytes.
    key: [u32; 18],
    salt: [u32; 18],
}

/// Each lane's cipher, keyed by `2^cost` turns of its key and salt. An empty key or salt counts as zeros.
pub fn setup<'a, const N: usize>(
    cost: u32,
    keys: [impl Iterator<Item = &'a u8> + Clone; N],
    salts: [&'a [u8; 16]; N],
) -> Box<[EksBlowfish; N]> {
    let mut lanes = Box::new([const { EksBlowfish::unkeyed() }; N]);
    for ((lane, key), salt) in lanes.iter_mut().zip(keys).zip(salts) {
        repeat_into(&mut lane.key, key);
        repeat_into(&mut lane.salt, salt.iter());
    }
    mix_into_p(&mut lanes, |lane| &lane.key);
    // The salt is two blocks, taken in turns.
    expand(&mut lanes, |lane, block| [lane.salt[block % 2 * 2], lane.salt[block % 2 * 2 + 1]]);
    for _ in 0..1_u32 << cost {
        mix_into_p(&mut lanes, |lane| &lane.key);
        expand(&mut lanes, |_, _| [0, 0]);
        mix_into_p(&mut lanes, |lane| &lane.salt);
        expand(&mut lanes, |_, _| [0, 0]);
    }
    lanes
}

/// bcrypt's last step: a text, encrypted 64 times.
pub fn encrypt_magic_text<const N: usize>(lanes: &[EksBlowfish; N]) -> [[u8; 24]; N] {
    let mut hashes = [[0; 24]; N];
    for (i, text) in b"OrpheanBeholderScryDoubt".as_chunks::<8>().0.iter().enumerate() {
        let [a, b, c, d, e, f, g, h] = *text;
        let mut blocks = ([u32::from_be_bytes([a, b, c, d]); N], [u32::from_be_bytes([e, f, g, h]); N]);
        for _ in 0..64 {
            blocks = encrypt(lanes, blocks);
        }
        for n in 0..N {
            let words = hashes[n].as_chunks_mut::<4>().0;
            words[2 * i] = blocks.0[n].to_be_bytes();
            words[2 * i + 1] = blocks.1[n].to_be_bytes();
        }
    }
    hashes
}

fn repeat_into<'a>(words: &mut [u32; 18], bytes: impl Iterator<Item = &'a u8> + Clone) {
    let mut bytes = bytes.cycle();
    for word in words {
        *word = bytes.by_ref().take(4).fold(0, |word, byte| word << 8 | u32::from(*byte));
    }
}

#[inline(always)]
fn mix_into_p<const N: usize>(lanes: &mut [EksBlowfish; N], words: impl Fn(&EksBlowfish) -> &[u32; 18]) {
    for lane in lanes {
        for i in 0..18 {
            lane.p[i] ^= words(lane)[i];
        }
    }
}

/// Replaces the P-array and the S-boxes by the cipher's own output, block after block: each is the encryption of the
/// one before, after `salt` (of the lane, for the block of this number) is mixed into it.
#[inline(always)]
fn expand<const N: usize>(lanes: &mut [EksBlowfish; N], salt: impl Fn(&EksBlowfish, usize) -> [u32; 2]) {
    let mut blocks = ([0; N], [0; N]);
    for i in 0..9 {
        blocks = encrypt(lanes, mix(blocks, lanes, |lane| salt(lane, i)));
        for n in 0..N {
            lanes[n].p[2 * i] = blocks.0[n];
            lanes[n].p[2 * i + 1] = blocks.1[n];
        }
    }
    for sbox in 0..4 {
        for i in 0..128 {
            blocks = encrypt(lanes, mix(blocks, lanes, |lane| salt(lane, 9 + i)));
            for n in 0..N {
                lanes[n].s[sbox][2 * i] = blocks.0[n];
                lanes[n].s[sbox][2 * i + 1] = blocks.1[n];
            }
        }
    }
}

#[inline(always)]
fn mix<const N: usize>(
    (mut left, mut right): Blocks<N>,
    lanes: &[EksBlowfish; N],
    with: impl Fn(&EksBlowfish) -> [u32; 2],
) -> Blocks<N> {
    for n in 0..N {
        let [l, r] = with(&lanes[n]);
        left[n] ^= l;
        right[n] ^= r;
    }
    (left, right)
}

/// Encrypts a block with each lane's cipher.
#[inline(always)]
fn encrypt<const N: usize>(lanes: &[EksBlowfish; N], (mut left, mut right): Blocks<N>) -> Blocks<N> {
    for n in 0..N {
        left[n] ^= lanes[n].p[0];
    }
    // Not unrolled by hand: sixteen rounds in a row were measured as no faster, or slower.
    for i in 0..8 {
        for n in 0..N {
            let EksBlowfish { p, .. } = &lanes[n];
            right[n] = right[n] ^ p[2 * i + 1] ^ lanes[n].round_function(left[n]);
            left[n] = left[n] ^ p[2 * i + 2] ^ lanes[n].round_function(right[n]);
        }
    }
    for n in 0..N {
        right[n] ^= lanes[n].p[17];
    }
    (right, left)
}

impl EksBlowfish {
    const fn unkeyed() -> EksBlowfish {
        EksBlowfish { p: pi::P, s: pi::S, key: [0; 18], salt: [0; 18] }
    }

    /// The shifts are not `to_be_bytes`: that becomes a byte swap, a cycle more in each round.
    #[inline(always)]
    fn round_function(&self, half: u32) -> u32 {
        let [s0, s1, s2, s3] = &self.s;
        let a = s0[usize::from((half >> 24) as u8)];
        let b = s1[usize::from((half >> 16) as u8)];
        let c = s2[usize::from((half >> 8) as u8)];
        let d = s3[usize::from(half as u8)];
        (a.wrapping_add(b) ^ c).wrapping_add(d)
    }
}

impl Drop for EksBlowfish {
    fn drop(&mut self) {
        // By name, so that no field to come is forgotten.
        let EksBlowfish { p, s, key, salt } = self;
        p.zeroize();
        s.zeroize();
        key.zeroize();
        salt.zeroize();
    }
}
