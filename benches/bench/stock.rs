//! Signed requests, made before the clock starts.

use casebridge::clock::{Clock, SystemClock};
use casebridge::webhook::casepeer::sign as casepeer;
use casebridge::webhook::highlevel::sign::{SIGNATURE_HEADER, SigningKey};

use super::server::{INBOUND_TOKEN, LOCATION, WEBHOOK_SECRET};

/// How large a body is made: the size of HighLevel's usual webhooks.
const BODY_BYTES: usize = 1_254;
/// How many people the events are about.
const PEOPLE: usize = 20_000;

/// Whole HTTP requests, one after the other.
pub struct Stock {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Stock {
    fn with_room_for(count: usize) -> Self {
        Self { bytes: Vec::with_capacity(count * (BODY_BYTES + 512)), ends: Vec::with_capacity(count) }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// One of them.
    pub fn request(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[index]]
    }

    fn add(&mut self, path: &str, headers: &str, body: &str) {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        );
        self.bytes.extend_from_slice(head.as_bytes());
        self.bytes.extend_from_slice(body.as_bytes());
        self.ends.push(self.bytes.len());
    }
}

/// The key HighLevel's part is signed with here.
pub fn key() -> SigningKey {
    SigningKey::from_seed(&[42; 32])
}

/// HighLevel's webhooks about contacts, of a type no rule is about: they are stored, and settled without a call.
pub fn highlevel(count: usize) -> Stock {
    signed_by(&key(), count)
}

/// The same, signed by a stranger.
pub fn forged(count: usize) -> Stock {
    signed_by(&SigningKey::from_seed(&[43; 32]), count)
}

fn signed_by(key: &SigningKey, count: usize) -> Stock {
    let now = SystemClock.now();
    let mut stock = Stock::with_room_for(count);
    for number in 0..count {
        let start = format!(
            r#"{{"type":"ContactDndUpdate","locationId":"{LOCATION}","webhookId":"{}","timestamp":"{now}","id":"contact{:013}","firstName":"Sam","lastName":"Sample","email":"sam.{number}@example.com","phone":"+15125550100","dnd":true,"tags":["intake","web"],"notes":""#,
            id(number),
            number % PEOPLE,
        );
        let body = padded(start, "\"}");
        let signature = key.sign(body.as_bytes());
        stock.add("/webhooks/highlevel", &format!("{SIGNATURE_HEADER}: {signature}\r\n"), &body);
    }
    stock
}

/// CASEpeer's webhooks about clients, of a type no rule is about. They are stamped now and good for five minutes.
pub fn casepeer(count: usize) -> Stock {
    let now = SystemClock.now();
    let (stamp, path) = (now.as_second(), format!("/webhooks/casepeer/{INBOUND_TOKEN}"));
    let mut stock = Stock::with_room_for(count);
    for number in 0..count {
        let start = format!(
            r#"{{"id":"{}","type":"contact.updated","version":"1","occurred_at":"{now}","account_id":"bench","previous":null,"data":{{"contact":{{"id":"C-{}","first_name":"Sam","last_name":"Sample","email":"sam.{number}@example.com","phone":"+15125550100","notes":""#,
            id(number),
            number % PEOPLE,
        );
        let body = padded(start, "\"}}}");
        let headers = format!(
            "{}: {stamp}\r\n{}: {}\r\n",
            casepeer::TIMESTAMP_HEADER,
            casepeer::SIGNATURE_HEADER,
            casepeer::sign(WEBHOOK_SECRET.as_bytes(), stamp, body.as_bytes()),
        );
        stock.add(&path, &headers, &body);
    }
    stock
}

/// A sender's id: as long as theirs, and in no order, as theirs are.
fn id(number: usize) -> String {
    let scattered = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{scattered:016x}-{number:019x}")
}

fn padded(mut body: String, end: &str) -> String {
    let missing = BODY_BYTES.saturating_sub(body.len() + end.len());
    body.extend(std::iter::repeat_n('x', missing));
    body + end
}
