`timescale 1ns/1ns
module top;
reg clk = 0;
reg [7:0] pipe = 0, late, held = 8'h10;
reg [5:0] mem[0:3], seen;
reg [1:0] at = 0;
reg glitch = 0;
always #10 clk = ~clk;
initial begin
    #1;
    forever @(posedge clk) begin
        pipe <= #3 pipe + 8'h1d;
        late <= #27 pipe;
        mem[at] <= #2 pipe[5:0];
        at <= at + 2'd1;
    end
end
initial begin #4; forever begin seen = mem[at]; #10; end end
initial begin #6; forever begin held = #4 pipe ^ held; #16; end end
initial begin #3; forever begin glitch <= #2 1'b1; glitch <= #5 1'b0; glitch <= #6 1'bx; #7; end end
initial begin #305 $display("%h %h %h %h", pipe, late, held, seen); $finish(0); end
endmodule
