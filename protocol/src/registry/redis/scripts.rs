//! Every script, in one place. Time is Redis' own (`TIME`): the clocks of two nodes are never compared.

use super::keys::Keys;
use crate::{
    ids::{ConnectionId, Epoch, NodeId, SessionId},
    registry::SocketRecord,
};
use redis::{Script, ScriptInvocation};

/// A script with its keys and arguments.
pub(super) type Call<'a> = ScriptInvocation<'a>;

const NOW: &str = "local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)\n";

/// KEYS: seen, records, born. ARGV: id, record, ttl. The first to tell anything marks since when things are kept.
const PUT_NODE: &str = "redis.call('SET', KEYS[3], string.format('%.0f', now), 'NX')
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])";

/// KEYS: born. Milliseconds since it was emptied or started: one that comes back with old data was away meanwhile.
const AGE: &str = "local born = tonumber(redis.call('GET', KEYS[1]) or now)
local up = tonumber(string.match(redis.call('INFO', 'server'), 'uptime_in_seconds:(%d+)')) * 1000
return math.max(0, math.min(now - born, up))";

/// KEYS: seen, records. ARGV: id.
const REMOVE_NODE: &str = "redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])";

/// KEYS: seen, records. Removes who has aged out, returns the others' records.
const NODES: &str = "for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
  redis.call('ZREM', KEYS[1], id)
  redis.call('HDEL', KEYS[2], id)
end
local records = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local record = redis.call('HGET', KEYS[2], id)
  if record then records[#records + 1] = record end
end
return records";

/// KEYS: record, owner. ARGV: epoch, data, ttl. Returns the newer epoch that forbids the write, or nothing.
const PUT_FENCED: &str = "for _, key in ipairs(KEYS) do
  local newest = tonumber(redis.call('HGET', key, 'epoch'))
  if newest and newest > tonumber(ARGV[1]) then return newest end
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'data', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return false";

/// KEYS: record. Returns epoch and data, or nothing.
const GET_FENCED: &str = "local record = redis.call('HMGET', KEYS[1], 'epoch', 'data')
if not record[1] then return false end
return { tonumber(record[1]), record[2] }";

/// KEYS: owner. ARGV: epoch.
const REMOVE_OWNER: &str = "if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] then redis.call('DEL', KEYS[1]) end";

/// KEYS: socket. ARGV: edge, connection, ttl. A generation is never below the time in milliseconds: after a loss of
/// data the next connection still counts higher than one that an edge remembers from before.
const PUT_SOCKET: &str = "local old = redis.call('HMGET', KEYS[1], 'generation', 'edge', 'connection')
local generation = math.max((tonumber(old[1]) or 0) + 1, now)
redis.call('HSET', KEYS[1], 'generation', string.format('%.0f', generation), 'edge', ARGV[1], 'connection', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if not old[2] then return { generation, false } end
return { generation, { tonumber(old[1]), old[2], old[3] } }";

/// KEYS: socket. ARGV: edge, connection, ttl, generation. A put that was given up and came late is the connection's own.
const REFRESH_SOCKET: &str = "local stored = redis.call('HMGET', KEYS[1], 'generation', 'connection')
local newest = tonumber(stored[1])
if newest and newest > tonumber(ARGV[4]) and stored[2] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'generation', ARGV[4], 'edge', ARGV[1], 'connection', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1";

/// KEYS: socket. Returns generation, edge, connection, or nothing.
const SOCKET: &str = "local socket = redis.call('HMGET', KEYS[1], 'generation', 'edge', 'connection')
if not socket[2] then return false end
return { tonumber(socket[1]), socket[2], socket[3] }";

/// KEYS: socket. ARGV: generation. The generation stays, so that the next one is higher.
const REMOVE_SOCKET: &str = "if redis.call('HGET', KEYS[1], 'generation') == ARGV[1] then
  redis.call('HDEL', KEYS[1], 'edge', 'connection')
end";

/// KEYS: batch. ARGV: pcm, most bytes, ttl. Drops the oldest whole samples beyond the bound.
const PUSH_BATCH: &str = "local held = redis.call('APPEND', KEYS[1], ARGV[1])
local over = held - ARGV[2]
if over > 0 then
  over = math.min(over + over % 2, held)
  local kept = over < held and redis.call('GETRANGE', KEYS[1], over, -1) or ''
  redis.call('SET', KEYS[1], kept)
  held = #kept
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return held";

/// KEYS: batch.
const TAKE_BATCH: &str = "local pcm = redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1])
return pcm";

/// KEYS: rate. ARGV: window. Returns the calls in this window and what is left of it.
const RATE: &str = "local calls = redis.call('INCR', KEYS[1])
if calls == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return { calls, redis.call('PTTL', KEYS[1]) }";

/// KEYS: quota. ARGV: session, limit, ttl.
const TAKE_QUOTA: &str = "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', last[2]))
return 1";

/// KEYS: quota. ARGV: session.
const RELEASE_QUOTA: &str = "redis.call('ZREM', KEYS[1], ARGV[1])";

/// KEYS: revoked. ARGV: generation, ttl. Neither the generation nor the time left ever shrinks.
const REVOKE_JOIN: &str = "local highest = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), tonumber(ARGV[1]))
local ttl = math.max(redis.call('PTTL', KEYS[1]), tonumber(ARGV[2]))
redis.call('SET', KEYS[1], highest, 'PX', string.format('%.0f', ttl))";

/// KEYS: revoked.
const REVOKED_JOIN: &str = "return redis.call('GET', KEYS[1])";

macro_rules! scripts {
    ($($name:ident: $code:expr;)*) => {
        /// The scripts, each hashed once.
        pub(super) struct Scripts { $($name: Script,)* }
        impl Default for Scripts {
            fn default() -> Self {
                Self { $($name: Script::new(&$code),)* }
            }
        }
    };
}
scripts! {
    put_node: [NOW, PUT_NODE].concat();
    age: [NOW, AGE].concat();
    remove_node: REMOVE_NODE;
    nodes: [NOW, NODES].concat();
    put_fenced: PUT_FENCED;
    get_fenced: GET_FENCED;
    remove_owner: REMOVE_OWNER;
    put_socket: [NOW, PUT_SOCKET].concat();
    refresh_socket: REFRESH_SOCKET;
    socket: SOCKET;
    remove_socket: REMOVE_SOCKET;
    push_batch: PUSH_BATCH;
    take_batch: TAKE_BATCH;
    rate: RATE;
    take_quota: [NOW, TAKE_QUOTA].concat();
    release_quota: RELEASE_QUOTA;
    revoke_join: REVOKE_JOIN;
    revoked_join: REVOKED_JOIN;
}

impl Scripts {
    pub(super) fn put_node(&self, keys: &Keys, id: &NodeId, record: Vec<u8>, ttl: u64) -> Call<'_> {
        let mut call = self.put_node.key(keys.nodes_seen());
        call.key(keys.nodes_records()).key(keys.nodes_born()).arg(&id.0).arg(record).arg(ttl);
        call
    }
    pub(super) fn age(&self, keys: &Keys) -> Call<'_> {
        self.age.key(keys.nodes_born())
    }
    pub(super) fn remove_node(&self, keys: &Keys, id: &NodeId) -> Call<'_> {
        let mut call = self.remove_node.key(keys.nodes_seen());
        call.key(keys.nodes_records()).arg(&id.0);
        call
    }
    pub(super) fn nodes(&self, keys: &Keys) -> Call<'_> {
        let mut call = self.nodes.key(keys.nodes_seen());
        call.key(keys.nodes_records());
        call
    }
    /// Writes `data` at `key` unless a newer epoch has, or owns the session.
    pub(super) fn put_fenced(
        &self,
        keys: &Keys,
        key: String,
        session: SessionId,
        epoch: Epoch,
        data: Vec<u8>,
        ttl: u64,
    ) -> Call<'_> {
        let mut call = self.put_fenced.key(key);
        call.key(keys.owner(session)).arg(epoch.0).arg(data).arg(ttl);
        call
    }
    pub(super) fn get_fenced(&self, key: String) -> Call<'_> {
        self.get_fenced.key(key)
    }
    pub(super) fn remove_owner(&self, key: String, epoch: Epoch) -> Call<'_> {
        let mut call = self.remove_owner.key(key);
        call.arg(epoch.0);
        call
    }
    pub(super) fn put_socket(&self, key: String, edge: &NodeId, connection: ConnectionId, ttl: u64) -> Call<'_> {
        let mut call = self.put_socket.key(key);
        call.arg(&edge.0).arg(connection.to_string()).arg(ttl);
        call
    }
    pub(super) fn refresh_socket(&self, key: String, socket: &SocketRecord, ttl: u64) -> Call<'_> {
        let mut call = self.refresh_socket.key(key);
        call.arg(&socket.edge.0).arg(socket.connection.to_string()).arg(ttl).arg(socket.generation);
        call
    }
    pub(super) fn socket(&self, key: String) -> Call<'_> {
        self.socket.key(key)
    }
    pub(super) fn remove_socket(&self, key: String, generation: u64) -> Call<'_> {
        let mut call = self.remove_socket.key(key);
        call.arg(generation);
        call
    }
    pub(super) fn push_batch(&self, key: String, pcm: &[u8], max_bytes: usize, ttl: u64) -> Call<'_> {
        let mut call = self.push_batch.key(key);
        call.arg(pcm).arg(max_bytes).arg(ttl);
        call
    }
    pub(super) fn take_batch(&self, key: String) -> Call<'_> {
        self.take_batch.key(key)
    }
    pub(super) fn rate(&self, key: String, window: u64) -> Call<'_> {
        let mut call = self.rate.key(key);
        call.arg(window);
        call
    }
    pub(super) fn take_quota(&self, key: String, session: SessionId, limit: u32, ttl: u64) -> Call<'_> {
        let mut call = self.take_quota.key(key);
        call.arg(session.to_string()).arg(limit).arg(ttl);
        call
    }
    pub(super) fn release_quota(&self, key: String, session: SessionId) -> Call<'_> {
        let mut call = self.release_quota.key(key);
        call.arg(session.to_string());
        call
    }
    pub(super) fn revoke_join(&self, key: String, generation: u32, ttl: u64) -> Call<'_> {
        let mut call = self.revoke_join.key(key);
        call.arg(generation).arg(ttl);
        call
    }
    pub(super) fn revoked_join(&self, key: String) -> Call<'_> {
        self.revoked_join.key(key)
    }
}
