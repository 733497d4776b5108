//! Links against the WDK where there is one, and compiles version and event texts into the driver.

#[cfg(windows)]
#[path = "messages.rs"]
mod messages;

#[cfg(windows)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=messages.rs");
    let folder = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(folder.join("messages.bin"), messages::table())?;
    let script = folder.join("pinring_kmdf.rc");
    std::fs::write(&script, messages::script(env!("CARGO_PKG_VERSION")))?;
    embed_resource::compile_for_everything(&script, embed_resource::NONE).manifest_required()?;
    wdk_build::configure_wdk_binary_build()?;
    Ok(())
}

#[cfg(not(windows))]
fn main() {}
