//! scratch
use std::sync::atomic::AtomicBool;
use pinring_sim::{report::Report, run, scenario::Scenario, device::Tools};
fn main(){
    let f = std::env::args().nth(1).unwrap();
    let s = match Scenario::load(f.as_ref()) { Ok(s)=>s, Err(e)=>{eprintln!("{e}");return} };
    let cancel=AtomicBool::new(false);
    let o = run::Options{ tools: Tools{processor: std::env::var("PINRING_VEXRISCV").unwrap().into(), firmware: std::env::var("PINRING_FIRMWARE_HEX").unwrap().into()}, trace: std::env::var("VCD").ok().map(Into::into), cancel:&cancel, progress:&|_|{} };
    let mut r = Report::new(&s, run::ceiling_ns(&s)); let mut t=vec![];
    let res = run::run(&s,&o,&mut r,&mut t);
    println!("{}", pinring_sim::report::table(&r));
    println!("{} cycles {:.0} cycles/s", r.sim.cycles, r.sim.cycles_per_cpu_second);
    std::fs::write("/tmp/report.html", pinring_sim::report::html(&r,&t)).unwrap();
    std::fs::write("/tmp/out.json", r.to_json().unwrap()).unwrap();
    if let Err(e)=res { println!("ERROR {e}"); }
}
