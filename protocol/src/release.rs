//! Which release of maya this process is.

use crate::bus::SharedBus;

/// Its version, as nodes tell it.
pub fn version() -> String {
    #[cfg(feature = "other-release")]
    if let Some(name) = crate::bus::other_release::name() {
        return name;
    }
    env!("CARGO_PKG_VERSION").to_owned()
}

/// The bus as this release uses it.
pub fn on(bus: SharedBus) -> SharedBus {
    #[cfg(feature = "other-release")]
    if crate::bus::other_release::name().is_some() {
        return crate::bus::other_release::around(bus);
    }
    bus
}
