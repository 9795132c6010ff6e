//! The boot to which process numbers belong. They are valid within one boot only.

/// The identifier of this boot.
#[must_use]
pub fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}
