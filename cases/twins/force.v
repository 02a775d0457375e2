`timescale 1ns/1ns
module top;
wire [7:0] n;
reg [7:0] in = 8'h21, v = 0, p;
reg [3:0] tick = 0;
assign n = in ^ 8'h0f;
initial begin #6; forever begin in = in + 8'h13; #10; end end
initial begin #8; forever begin v = v + 8'd1; #10; end end
initial begin #10; forever begin tick = tick + 4'd1; #10; end end
initial begin
    #21 force n = 8'bz01x_1100;
    #20 force v = 8'hxx;
    #20 release n;
    #20 release v;
    assign p = 8'b0110_1z0x;
    #20 deassign p;
    #20 force p = 8'hf0;
    #20 release p;
    #5 p = 8'h5a;
    v = 8'h40;
    #28 $display("%b %h %h", n, v, p);
    $finish(0);
end
endmodule
