//! Shamir's secret sharing over GF(256), byte by byte; a share is the values of its polynomials and, last, its x.
//!
//! A development store's own: it makes no claim of constant time.

use rand::{RngCore, rngs::OsRng};

/// Splits `secret` so that any `threshold` of `shares` give it back, and fewer say nothing about it.
pub(super) fn split(secret: &[u8], shares: u8, threshold: u8) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = (1..=shares).map(|_| Vec::with_capacity(secret.len() + 1)).collect();
    let mut polynomial = vec![0; usize::from(threshold)];
    for byte in secret {
        OsRng.fill_bytes(&mut polynomial);
        polynomial[0] = *byte;
        for (share, x) in all.iter_mut().zip(1..) {
            share.push(polynomial.iter().rev().fold(0, |sum, coefficient| multiply(sum, x) ^ coefficient));
        }
    }
    for (share, x) in all.iter_mut().zip(1..) {
        share.push(x);
    }
    all
}

/// What the shares give together. `None` where they cannot belong together; wrong shares give a wrong secret.
pub(super) fn combine(shares: &[Vec<u8>]) -> Option<Vec<u8>> {
    let length = shares.first()?.len().checked_sub(1)?;
    let xs: Vec<u8> = shares.iter().filter_map(|share| share.get(length).copied()).collect();
    let same_length = shares.iter().all(|share| share.len() == length + 1);
    let distinct = xs.iter().enumerate().all(|(at, x)| *x != 0 && !xs[..at].contains(x));
    if !same_length || !distinct {
        return None;
    }
    // Lagrange at 0, where subtraction is XOR: the weight of share i is the product of x_j / (x_j - x_i).
    let weight = |x: u8| {
        let others = xs.iter().filter(|other| **other != x);
        others.fold(1, |product, other| multiply(product, multiply(*other, invert(other ^ x))))
    };
    let weights: Vec<u8> = xs.iter().map(|x| weight(*x)).collect();
    let byte = |at: usize| {
        shares.iter().zip(&weights).fold(0, |sum, (share, weight)| sum ^ multiply(share[at], *weight))
    };
    Some((0..length).map(byte).collect())
}

/// In GF(256) with the polynomial of AES.
fn multiply(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    while b != 0 {
        if b & 1 != 0 {
            product ^= a;
        }
        let carry = a & 0x80 != 0;
        a <<= 1;
        if carry {
            a ^= 0x1b;
        }
        b >>= 1;
    }
    product
}

/// a^254, since a^255 is 1.
fn invert(a: u8) -> u8 {
    (0..254).fold(1, |power, _| multiply(power, a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_but_zero_has_an_inverse() {
        for a in 1..=255 {
            assert_eq!(multiply(a, invert(a)), 1, "{a}");
        }
        // The example of FIPS 197, section 4.2.
        assert_eq!(multiply(0x57, 0x83), 0xc1);
    }

    #[test]
    fn any_three_of_five_shares_give_the_secret_and_two_do_not() {
        let secret = b"thirty-two bytes of master key..";
        let shares = split(secret, 5, 3);
        for a in 0..5 {
            for b in 0..5 {
                for c in 0..5 {
                    let picked = [shares[a].clone(), shares[b].clone(), shares[c].clone()];
                    let distinct = a != b && b != c && a != c;
                    let expected = distinct.then(|| secret.to_vec());
                    assert_eq!(combine(&picked), expected, "{a} {b} {c}");
                }
            }
        }
        assert_ne!(combine(&shares[..2]), Some(secret.to_vec()));
    }

    #[test]
    fn one_share_of_one_is_enough_and_a_changed_byte_is_not() {
        let shares = split(b"key", 1, 1);
        assert_eq!(combine(&shares), Some(b"key".to_vec()));
        let mut shares = split(b"key", 3, 2);
        shares[0][1] ^= 1;
        assert_ne!(combine(&shares[..2]), Some(b"key".to_vec()));
    }

    #[test]
    fn shares_that_cannot_belong_together_are_refused() {
        assert_eq!(combine(&[]), None);
        assert_eq!(combine(&[vec![]]), None);
        assert_eq!(combine(&[vec![1, 2], vec![1, 2, 3]]), None);
        assert_eq!(combine(&[vec![1, 0]]), None);
    }
}
