package sanitize
import ("testing";"fmt";"syscall";"strings";"time";"os";"crypto/hmac";"crypto/sha256";"encoding/hex";"hash"
"brine/lake/duck")
func TestZZ(t *testing.T){
 schema,_:=os.ReadFile("/tmp/c3x/schema.yaml"); rules,_:=os.ReadFile("/tmp/c3x/rules.yaml"); raw,_:=os.ReadFile("/tmp/c3x/raw.sql")
 stream:=mustStream(t,"app_session",string(schema))
 plan,err:=Compile(stream,Parse("l",rules),Options{}); if err!=nil{t.Fatal(err)}
 b:=newBench(t,duck.Options{Threads:1,Memory:800<<20})
 const n=300000
 cp:=func(q string) string {return "COPY "+q+" TO '"+b.path("out")+"' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 61440)"}
 b.exec("COPY ("+fmt.Sprintf(string(raw),0,n)+") TO '"+b.path("raw")+"' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 61440)")
 sql,done,err:=plan.Select(b.conn,Input{Rows:b.read("raw"),Hour:someHour,Source:1,Hasher:func() Hasher{return &quick{mac: hmac.New(sha256.New, []byte(someSalt))}}}); if err!=nil{t.Fatal(err)}
 defer done()
 i:=strings.LastIndex(sql," ORDER BY"); order:=strings.TrimSuffix(sql[i:],"))")
 j:=strings.Index(sql,"uuid_"); k:=strings.Index(sql,` AS "brine_id"`); 
 nopl:=sql[:j]+"1"+sql[k:]
 tf:=sql[strings.Index(sql,"text_"):]; tf=tf[:strings.Index(tf,"(")]
 joined:=strings.Replace(strings.Replace(sql,tf+`("app_install_id")`,`m.p`,1),"FROM (SELECT TRY_CAST","FROM ids m RIGHT JOIN (SELECT TRY_CAST",1)
 joined=strings.Replace(joined,") WHERE true)",") r ON m.i = r.app_install_id)",1)
 ids:="CREATE OR REPLACE TEMP TABLE ids AS SELECT i, "+tf+"(i) AS p FROM (SELECT DISTINCT app_install_id AS i FROM "+b.read("raw")+")"
 vs:=[][2]string{{"copy",cp("(FROM "+b.read("raw")+")")},{"whole",cp(sql)},{"without brine_id",cp(nopl)},{"without order",cp(strings.Replace(sql,order,"",1))},{"ids table",ids},{"joined",cp(joined)}}
 best:=make([]time.Duration,len(vs))
 for k:=range 4 { for i,v:=range vs { c0:=cpuT(); b.exec(v[1]); d:=cpuT()-c0; if k==0||d<best[i]{best[i]=d} } }
 for i,v:=range vs { st:=float64(best[i].Microseconds())/n; fmt.Printf("%-30s cpu/row %.2f us\n",v[0],st) }
}
func cpuT() time.Duration { var r syscall.Rusage; syscall.Getrusage(0,&r); return time.Duration(r.Utime.Nano()+r.Stime.Nano()) }
type quick struct{mac hash.Hash; sum []byte}
func (h *quick) Pseudonym(dst, value []byte) []byte { h.mac.Reset(); h.mac.Write(value); h.sum=h.mac.Sum(h.sum[:0]); return hex.AppendEncode(dst,h.sum) }
func (h *quick) PseudonymPerStream(dst []byte, s string, value []byte) []byte { return nil }
