`timescale 1ns/1ns
module top;
reg clk = 0, rst;
reg [7:0] shift;
reg [5:0] falls = 0;
reg [6:0] both = 0;
reg [3:0] a = 4'h3, b = 4'hc;
reg half = 0;
reg [4:0] slow = 0;
reg [8:0] sum;
always #5 clk = ~clk;
initial begin #1; forever @(posedge clk or posedge rst) if (rst) shift <= 8'h01; else shift <= {shift[6:0], !shift[7]}; end
initial begin #1; forever @(negedge clk) falls <= falls + 6'd3; end
initial begin #1; forever @(clk) both <= both + 7'd1; end
initial begin #1; forever @(posedge clk) begin a <= b; b <= a + 4'd1; end end
initial begin #1; forever @(posedge clk) half <= ~half; end
initial begin #1; forever @(negedge half) slow <= slow + 5'd1; end
always begin sum = shift + both; @(shift or both); end
initial begin
    #13 rst = 1;
    #9 rst = 0;
    #200 $display("shift=%b sum=%0d slow=%0d", shift, sum, slow);
    $finish(0);
end
endmodule
