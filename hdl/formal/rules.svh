// What harnesses share. A property must always hold, what is listed as reached must be possible, an assumption is the environment's.
`ifdef REACHED_ONLY
`define PROPERTY(name, rule)
`define REACHED(name, event) always @(*) name: assert (!(event));
`else
`define PROPERTY(name, rule) always @(*) name: assert (rule);
`define REACHED(name, event)
`endif
`define ASSUME(rule) always @(*) assume (rule);
