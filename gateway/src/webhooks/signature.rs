//! Standard Webhooks signatures: made here, and checked by the command line's listener and by the tests.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::{
    Engine,
    alphabet::STANDARD as ALPHABET,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::{fmt, str::FromStr, time::Duration};

/// Stable over the retries of a message.
pub const ID: HeaderName = HeaderName::from_static("webhook-id");
/// When this attempt was made, in Unix seconds.
pub const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// One `v1,<base64>` a secret, between blanks.
pub const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
/// How far the timestamp may be from the receiver's clock.
pub const TOLERANCE: Duration = Duration::from_secs(300);

const PREFIX: &str = "whsec_";
/// Writes padding, reads with and without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a delivery does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The secret is not `whsec_` and base64.
    #[error("the secret is not of the form whsec_<base64>")]
    Secret,
    /// A header is absent or unreadable.
    #[error("header `{0}` is absent or unreadable")]
    Header(&'static str),
    /// Too old or from the future: perhaps replayed.
    #[error("the timestamp is outside the tolerance")]
    Timestamp,
    /// Signed with another secret, or changed on the way.
    #[error("no signature matches")]
    Signature,
}

/// A signing secret, written `whsec_<base64>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// A fresh one of 32 random bytes.
    pub fn fresh() -> Self {
        Self(rand::random::<[u8; 32]>().to_vec())
    }
    /// From the bytes that are kept (sealed) at rest.
    pub fn from_bytes(key: Vec<u8>) -> Self {
        Self(key)
    }
    /// What is kept (sealed) at rest.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
    /// As its owner sees it, once.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", BASE64.encode(&self.0))
    }
    fn mac(&self, id: &str, timestamp: i64, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("an HMAC takes a key of any length");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        mac
    }
}
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
impl FromStr for Secret {
    type Err = VerifyError;
    fn from_str(text: &str) -> Result<Self, VerifyError> {
        let key = BASE64.decode(text.strip_prefix(PREFIX).unwrap_or(text)).map_err(|_| VerifyError::Secret)?;
        if key.is_empty() { Err(VerifyError::Secret) } else { Ok(Self(key)) }
    }
}

/// The `webhook-signature` of a message, one signature a secret: during a rotation there are two.
pub fn sign(secrets: &[Secret], id: &str, timestamp: i64, body: &[u8]) -> String {
    let one =
        |secret: &Secret| format!("v1,{}", BASE64.encode(secret.mac(id, timestamp, body).finalize().into_bytes()));
    secrets.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// The three headers of an attempt.
pub fn headers(secrets: &[Secret], id: &str, timestamp: i64, body: &[u8]) -> HeaderMap {
    let value = |text: String| HeaderValue::from_str(&text).expect("ids, numbers and base64 are visible ASCII");
    HeaderMap::from_iter([
        (ID, value(id.to_owned())),
        (TIMESTAMP, value(timestamp.to_string())),
        (SIGNATURE, value(sign(secrets, id, timestamp, body))),
    ])
}

/// Verifies a delivery as a receiver must: the signature of exactly these bytes, and a timestamp near `now`.
pub fn verify(
    secret: &str,
    headers: &HeaderMap,
    body: &[u8],
    now: DateTime<Utc>,
    tolerance: Duration,
) -> Result<(), VerifyError> {
    fn read<'a>(headers: &'a HeaderMap, name: &HeaderName, shown: &'static str) -> Result<&'a str, VerifyError> {
        headers.get(name).and_then(|value| value.to_str().ok()).ok_or(VerifyError::Header(shown))
    }
    let secret: Secret = secret.parse()?;
    let id = read(headers, &ID, "webhook-id")?;
    let timestamp = read(headers, &TIMESTAMP, "webhook-timestamp")?
        .parse::<i64>()
        .map_err(|_| VerifyError::Header("webhook-timestamp"))?;
    let given = read(headers, &SIGNATURE, "webhook-signature")?;
    if timestamp.abs_diff(now.timestamp()) > tolerance.as_secs() {
        return Err(VerifyError::Timestamp);
    }
    let matches = given
        .split(' ')
        .filter_map(|one| one.strip_prefix("v1,"))
        .filter_map(|one| BASE64.decode(one).ok())
        .any(|one| secret.mac(id, timestamp, body).verify_slice(&one).is_ok());
    if matches { Ok(()) } else { Err(VerifyError::Signature) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The vector of the Standard Webhooks specification and of its reference libraries' tests.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const MESSAGE: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }
    fn given(signature: &str) -> HeaderMap {
        let mut headers = headers(&[SECRET.parse().unwrap()], MESSAGE, AT, BODY);
        headers.insert(SIGNATURE, signature.parse().unwrap());
        headers
    }
    fn check(headers: &HeaderMap, now: i64) -> Result<(), VerifyError> {
        verify(SECRET, headers, BODY, at(now), TOLERANCE)
    }

    #[test]
    fn the_specifications_vector() {
        assert_eq!(sign(&[SECRET.parse().unwrap()], MESSAGE, AT, BODY), SIGNED);
        assert_eq!(check(&given(SIGNED), AT), Ok(()));
        // without the prefix, and among signatures of other versions and secrets
        assert_eq!(verify(&SECRET[6..], &given(SIGNED), BODY, at(AT), TOLERANCE), Ok(()));
        let many = format!("v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,xx {SIGNED}");
        assert_eq!(check(&given(&many), AT), Ok(()));
    }

    #[test]
    fn what_must_not_verify() {
        for wrong in ["", "v1,", "v1", SIGNED.strip_prefix("v1,").unwrap(), &SIGNED.replace("v1", "v2"), "v1,garbage%"]
        {
            assert_eq!(check(&given(wrong), AT), Err(VerifyError::Signature), "{wrong:?}");
        }
        assert_eq!(check(&given(SIGNED), AT + 301), Err(VerifyError::Timestamp));
        assert_eq!(check(&given(SIGNED), AT - 301), Err(VerifyError::Timestamp));
        for name in [ID, TIMESTAMP, SIGNATURE] {
            let mut headers = given(SIGNED);
            headers.remove(name);
            assert!(matches!(check(&headers, AT), Err(VerifyError::Header(_))));
        }
        assert_eq!(verify("whsec_%", &given(SIGNED), BODY, at(AT), TOLERANCE), Err(VerifyError::Secret));
        assert_eq!(verify("whsec_", &given(SIGNED), BODY, at(AT), TOLERANCE), Err(VerifyError::Secret));
    }

    proptest! {
        #[test]
        fn both_secrets_of_a_rotation_verify_and_no_other(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let (old, new) = (Secret::fresh(), Secret::fresh());
            let headers = headers(&[new.clone(), old.clone()], "m", AT, &body);
            for known in [&old, &new] {
                prop_assert_eq!(verify(&known.reveal(), &headers, &body, at(AT), TOLERANCE), Ok(()));
            }
            let stranger = Secret::fresh().reveal();
            prop_assert_eq!(verify(&stranger, &headers, &body, at(AT), TOLERANCE), Err(VerifyError::Signature));
        }
    }
}
